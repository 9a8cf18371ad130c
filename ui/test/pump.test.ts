import { expect, test } from 'vitest';
import { MIN_GAP_MS, pump, type Scheduler } from '../src/lib/pump';

/** Time that passes when told, pictures at 60 a second. */
class Virtual implements Scheduler {
  time = 0;
  readonly waiting: { at: number; run: () => void }[] = [];
  now = (): number => this.time;
  frame = (run: () => void): void => void this.waiting.push({ at: this.time + 16, run });
  after = (run: () => void, ms: number): void => void this.waiting.push({ at: this.time + ms, run });

  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.waiting.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (!next) break;
      this.waiting.splice(this.waiting.indexOf(next), 1);
      this.time = Math.max(this.time, next.at);
      next.run();
    }
    this.time = end;
  }
}

test('the first value is shown with the next picture', () => {
  const clock = new Virtual();
  const shown: number[] = [];
  pump((value: number) => shown.push(value), clock)(1);
  clock.pass(16);
  expect(shown).toEqual([1]);
});

test('of 10,000 changes in a minute the latest are shown, and nothing queues up', () => {
  const clock = new Virtual();
  const shown: { value: number; at: number }[] = [];
  const push = pump((value: number) => shown.push({ value, at: clock.time }), clock);
  for (let value = 1; value <= 10_000; value += 1) {
    push(value);
    expect(clock.waiting.length).toBeLessThanOrEqual(1);
    clock.pass(6);
  }
  clock.pass(200);
  expect(shown.at(-1)?.value).toBe(10_000);
  expect(shown.length).toBeLessThanOrEqual(60_000 / MIN_GAP_MS + 2);
  expect(shown.length).toBeGreaterThan(500);
  // What is shown is never older than a picture and the gap.
  for (const { value, at } of shown) expect(at - value * 6).toBeLessThanOrEqual(MIN_GAP_MS + 32);
});

test('while nobody can see it, one value waits', () => {
  const clock = new Virtual();
  const hidden: (() => void)[] = [];
  const shown: number[] = [];
  const push = pump((value: number) => shown.push(value), { ...clock, now: clock.now, frame: (run) => void hidden.push(run) });
  for (let value = 0; value < 5_000; value += 1) push(value);
  expect(hidden).toHaveLength(1);
  hidden[0]?.();
  expect(shown).toEqual([4_999]);
});

test('a value that is pushed while one is shown comes next', () => {
  const clock = new Virtual();
  const shown: number[] = [];
  const push = pump((value: number) => {
    shown.push(value);
    if (value < 3) push(value + 1);
  }, clock);
  push(1);
  clock.pass(500);
  expect(shown).toEqual([1, 2, 3]);
});
