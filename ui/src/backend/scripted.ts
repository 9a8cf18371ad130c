import type { Status } from '../generated/model';
import type { ActionName, Failed, Prefs, View } from '../generated/view';
import type { Backend, CommandError } from './backend';

/** What the app would be told; in order, and when. */
export interface Call {
  command: string;
  arguments: unknown[];
}

/** How long what was asked for takes, in milliseconds. */
const TAKES = 700;

/**
 * The app and its service without either: shows what it is given, does what it is asked, remembers what that was.
 * For stories and tests.
 */
export class Scripted implements Backend {
  readonly calls: Call[] = [];
  readonly #listeners = new Set<(view: View) => void>();
  #view: View;
  /** Set: the next commands fail like this. */
  refuses: CommandError | null = null;

  constructor(view: View) {
    this.#view = view;
  }

  get now(): View {
    return this.#view;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Another view, to everybody who listens. */
  show(view: View): void {
    this.#view = view;
    for (const heard of this.#listeners) heard(view);
  }

  /** The same view with a few things changed. */
  change(changes: Partial<View>): void {
    this.show({ ...this.#view, ...changes });
  }

  view(): Promise<View> {
    return Promise.resolve(this.#view);
  }

  onView(heard: (view: View) => void): () => void {
    this.#listeners.add(heard);
    return () => void this.#listeners.delete(heard);
  }

  async rearm(): Promise<void> {
    await this.#run('rearm', []);
    const status = this.#view.status;
    if (!status) return;
    const rearms = { ...status.rearms, count: status.rearms.count + 1, last_ms: TAKES, last_reason: 'asked-for' };
    this.change({ status: { ...status, rearms } });
  }

  async pause(minutes: number | null, reason: string): Promise<void> {
    await this.#run('pause', [minutes, reason]);
    const until = minutes === null ? null : new Date(Date.now() + minutes * 60_000).toISOString();
    this.#become({ state: 'paused', code: 'CL-003', pause: { until, reason }, clat: null, plane: null, uplink: null });
  }

  async resume(): Promise<void> {
    await this.#run('resume', []);
    this.#become({ state: 'checking', code: 'CL-301', pause: null });
  }

  async setPref<Key extends keyof Prefs>(key: Key, value: Prefs[Key]): Promise<void> {
    this.calls.push({ command: 'set_pref', arguments: [key, value] });
    if (this.refuses) return Promise.reject(this.refuses);
    this.change({ prefs: { ...this.#view.prefs, [key]: value } });
    return Promise.resolve();
  }

  watching(visible: boolean): Promise<void> {
    this.calls.push({ command: 'watching', arguments: [visible] });
    return Promise.resolve();
  }

  async #run(action: ActionName, given: unknown[]): Promise<void> {
    this.calls.push({ command: action, arguments: given });
    this.change({ busy: { action }, failed: null });
    await new Promise((done) => setTimeout(done, TAKES));
    const failed: Failed | null = this.refuses ? { action, ...this.refuses } : null;
    this.change({ busy: null, failed });
    if (this.refuses) throw this.refuses;
  }

  #become(changes: Partial<Status>): void {
    const status = this.#view.status;
    if (status) this.change({ status: { ...status, ...changes, since: new Date().toISOString() } });
  }
}
