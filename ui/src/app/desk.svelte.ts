import type { Backend, CommandError } from '../backend/backend';
import type { Status } from '../generated/model';
import type { ActionName, Failed, Prefs, View } from '../generated/view';
import { condition, current, SILENT, type Condition } from '../lib/condition';
import { choose, ENGLISH, LANGUAGES, load, type Languages, type Text } from '../lib/i18n';
import { browser, pump, type Scheduler } from '../lib/pump';
import { Throughput, type Slot } from '../lib/throughput';

/** While somebody looks, the app asks once a second; after this long, what is shown is no longer now. */
const STALE_MS = 15_000;

/** Seconds were left out: the computer slept, or nobody looked. Then the app has a moment to say how things are. */
const GRACE_MS = 3_000;

/** What tests replace. */
export interface Surroundings {
  scheduler: Scheduler;
  /** Milliseconds of the calendar. */
  wall(): number;
  languages: Languages;
}

/** All that the page knows: the last view, and what follows from it. */
export class Desk {
  view: View | null = $state.raw(null);
  /** Words and numbers in this person's language. */
  text: Text = $state.raw(ENGLISH);
  series: (Slot | null)[] = $state.raw([]);
  #failed: Failed | null = $state.raw(null);
  /** Failures the person has put away, so that the same one does not come back with the next view. */
  #dismissed: string | null = $state.raw(null);
  #asked: ActionName | null = $state.raw(null);
  #wall: number = $state.raw(0);
  #clock: number = $state.raw(0);
  #heard: number = $state.raw(0);
  #graced: number = $state.raw(0);
  #ticked = 0;

  readonly #backend: Backend;
  readonly #around: Surroundings;
  readonly #throughput = new Throughput();
  readonly #push: (view: View) => void;
  /** The language that `text` is in, or that is being loaded for it. */
  #language = '';
  /** The view that waits for its language. */
  #waiting: View | null = null;

  constructor(backend: Backend, around: Partial<Surroundings> = {}) {
    this.#backend = backend;
    this.#around = { scheduler: browser, wall: () => Date.now(), languages: LANGUAGES, ...around };
    this.#push = pump((view: View) => this.#take(view), this.#around.scheduler);
    this.tick();
  }

  /** Nothing has been heard for so long that nothing is known. */
  readonly stale: boolean = $derived(
    current(this.view) !== null && this.#clock - this.#heard > STALE_MS && this.#clock > this.#graced,
  );
  readonly condition: Condition = $derived(this.stale ? SILENT : condition(this.view));
  /** The status, as long as it is one of now. */
  readonly status: Status | null = $derived(this.stale ? null : current(this.view));
  /** What is under way, from the moment somebody asked for it. */
  readonly busy: ActionName | null = $derived(this.#asked ?? this.view?.busy?.action ?? null);

  /** What went wrong last, until it is put away or the next action. */
  readonly failed: Failed | null = $derived.by(() => {
    const failed = this.#failed ?? this.view?.failed ?? null;
    return failed && name(failed) !== this.#dismissed ? failed : null;
  });

  /** The calendar's now, in milliseconds; moves once a second. */
  get wall(): number {
    return this.#wall;
  }

  /** Seconds since the view shown was heard. */
  get age(): number {
    return Math.max(0, this.#clock - this.#heard) / 1000;
  }

  /** Tags of the languages there are. */
  get languages(): string[] {
    return [...this.#around.languages.keys()];
  }

  /** Has the words of the system's language, before anything is shown. */
  async prepare(system: string): Promise<void> {
    this.text = await this.#load(choose('system', system, this.#around.languages), system);
  }

  /** Listens until what it returns is called. */
  start(): () => void {
    const end = this.#backend.onView((view) => this.#push(view));
    this.#backend.view().then(
      (view) => {
        if (!this.view) this.#push(view);
      },
      () => undefined,
    );
    return end;
  }

  /** Time has passed: ages, the chart and what is stale follow. */
  tick(): void {
    // Nothing is read back that was written here: who calls this from an effect must not wake itself.
    const now = this.#around.scheduler.now();
    if (now - this.#ticked > GRACE_MS) this.#graced = now + GRACE_MS;
    this.#ticked = now;
    this.#clock = now;
    this.#wall = this.#around.wall();
    this.series = this.#throughput.series(now);
  }

  watching(visible: boolean): void {
    this.#backend.watching(visible).catch(() => undefined);
  }

  rearm(): Promise<boolean> {
    return this.#run('rearm', () => this.#backend.rearm());
  }

  pause(minutes: number | null, reason: string): Promise<boolean> {
    return this.#run('pause', () => this.#backend.pause(minutes, reason));
  }

  resume(): Promise<boolean> {
    return this.#run('resume', () => this.#backend.resume());
  }

  setPref<Key extends keyof Prefs>(key: Key, value: Prefs[Key]): Promise<boolean> {
    return this.#run('settings', () => this.#backend.setPref(key, value));
  }

  /** Puts the failure away. */
  dismiss(): void {
    this.#dismissed = this.failed && name(this.failed);
    this.#failed = null;
  }

  /** Who does not let this person do so; null: nobody, it is allowed. */
  denies(action: ActionName): string | null {
    const who = this.view?.denied[action];
    return who === undefined ? null : who || this.text.words.settings.bySomebody;
  }

  /** A view is shown in its own language only: nothing flashes up in another one. */
  #take(view: View): void {
    const { language_os: system } = view.app;
    const tag = choose(view.prefs.language, system, this.#around.languages);
    const wanted = `${tag} ${system}`;
    if (this.#waiting) {
      this.#waiting = view;
      if (wanted === this.#language) return;
    }
    if (wanted === this.#language) {
      this.#show(view);
      return;
    }
    this.#waiting = view;
    void this.#load(tag, system).then((text) => {
      // Somebody has chosen another one meanwhile.
      if (wanted !== this.#language || !this.#waiting) return;
      const latest = this.#waiting;
      this.#waiting = null;
      this.text = text;
      this.#show(latest);
    });
  }

  #load(tag: string, system: string): Promise<Text> {
    this.#language = `${tag} ${system}`;
    return load(tag, system, this.#around.languages);
  }

  #show(view: View): void {
    const at = this.#around.scheduler.now();
    this.#heard = at;
    this.view = view;
    const clat = current(view)?.clat;
    if (clat) this.#throughput.count(at, clat.iface, clat.bytes);
    else this.#throughput.stop(at);
    if (!view.failed) this.#dismissed = null;
    this.tick();
  }

  async #run(action: ActionName, command: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    this.#asked = action;
    this.#failed = null;
    try {
      await command();
      return true;
    } catch (error) {
      this.#failed = { action, ...read(error) };
      this.#dismissed = null;
      return false;
    } finally {
      this.#asked = null;
    }
  }
}

function name(failed: Failed): string {
  return `${failed.action}/${failed.kind}/${failed.message}`;
}

/** What was thrown; the app throws a `CommandError`, anything else means that it was not reached. */
function read(error: unknown): CommandError {
  const said: Partial<CommandError> = typeof error === 'object' && error !== null ? error : { message: String(error) };
  const kind = said.kind === 'denied' || said.kind === 'refused' ? said.kind : 'unreachable';
  return { kind, message: typeof said.message === 'string' ? said.message : '' };
}
