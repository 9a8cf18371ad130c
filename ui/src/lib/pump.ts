/** Between two renderings; a person sees no difference, and a flood of changes costs no more than this. */
export const MIN_GAP_MS = 50;

/** What the pump needs of the browser. */
export interface Scheduler {
  /** Before the next picture; never while nobody can see the page. */
  frame(run: () => void): void;
  /** Milliseconds since some moment, never backwards. */
  now(): number;
  after(run: () => void, ms: number): void;
}

export const browser: Scheduler = {
  frame: (run) => void requestAnimationFrame(run),
  now: () => performance.now(),
  after: (run, ms) => void setTimeout(run, ms),
};

/**
 * Hands on the latest value only: the first at once, later ones at most once in `MIN_GAP_MS`. It holds one value, however
 * many come.
 */
export function pump<T>(apply: (value: T) => void, scheduler: Scheduler = browser): (value: T) => void {
  let latest: { value: T } | null = null;
  let waiting = false;
  let last = Number.NEGATIVE_INFINITY;

  const flush = (): void => {
    waiting = false;
    const held = latest;
    latest = null;
    last = scheduler.now();
    if (held) apply(held.value);
  };

  return (value) => {
    latest = { value };
    if (waiting) return;
    waiting = true;
    const rest = last + MIN_GAP_MS - scheduler.now();
    if (rest > 0) scheduler.after(() => scheduler.frame(flush), rest);
    else scheduler.frame(flush);
  };
}
