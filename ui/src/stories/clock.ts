import { browser, type Scheduler } from '../lib/pump';

/** The browser's time, that can be set forward. */
export class Clock implements Scheduler {
  #ahead = 0;
  /** While time is only told, nothing waits for a picture. */
  telling = false;

  now(): number {
    return (this.telling ? 0 : browser.now()) + this.#ahead;
  }

  skip(ms: number): void {
    this.#ahead += ms;
  }

  frame(run: () => void): void {
    if (this.telling) run();
    else browser.frame(run);
  }

  after(run: () => void, ms: number): void {
    if (this.telling) run();
    else browser.after(run, ms);
  }
}
