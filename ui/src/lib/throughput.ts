import type { Bytes } from '../generated/model';

/** How much of the past is kept, in seconds. */
export const SECONDS = 120;

/** A longer silence between two counts says nothing about the seconds in it. */
const BLIND_MS = 3_500;

/** Bytes per second in one second; null: nobody counted. */
export interface Slot {
  in: number;
  out: number;
}

/**
 * Bytes per second over the last two minutes, from counters that only rise. A ring of `SECONDS`, whatever comes in.
 */
export class Throughput {
  readonly #slots: (Slot | null)[] = new Array<Slot | null>(SECONDS).fill(null);
  #second = 0;
  #last: { at: number; bytes: Bytes; name: string } | null = null;

  /** Takes a count; `at` in milliseconds that never go back. `name` tells one translator from the next. */
  count(at: number, name: string, bytes: Bytes): void {
    this.#advance(at);
    const last = this.#last;
    this.#last = { at, bytes, name };
    if (!last || last.name !== name || bytes.in < last.bytes.in || bytes.out < last.bytes.out) return;
    const took = at - last.at;
    if (took > BLIND_MS) return;
    const delta = { in: bytes.in - last.bytes.in, out: bytes.out - last.bytes.out };
    if (took <= 0) {
      this.#add(at, delta);
      return;
    }
    // Spread over the seconds it took, each by its share.
    for (let from = last.at; from < at; ) {
      const end = Math.min(at, (Math.floor(from / 1000) + 1) * 1000);
      const share = (end - from) / took;
      this.#add(from, { in: delta.in * share, out: delta.out * share });
      from = end;
    }
  }

  /** From here on nothing is known, until something is counted again. */
  stop(at: number): void {
    this.#advance(at);
    this.#last = null;
  }

  /** The last `SECONDS` whole seconds before `at`, oldest first. */
  series(at: number): (Slot | null)[] {
    this.#advance(at);
    const now = Math.floor(at / 1000);
    return Array.from({ length: SECONDS - 1 }, (_, index) => this.#slots[(now - SECONDS + 1 + index + SECONDS) % SECONDS] ?? null);
  }

  #add(at: number, bytes: Slot): void {
    const second = Math.floor(at / 1000);
    if (second <= this.#second - SECONDS) return;
    const index = second % SECONDS;
    const slot = this.#slots[index] ?? { in: 0, out: 0 };
    this.#slots[index] = { in: slot.in + bytes.in, out: slot.out + bytes.out };
  }

  /** Forgets the seconds that the ring comes round to again. */
  #advance(at: number): void {
    const now = Math.floor(at / 1000);
    const from = Math.max(this.#second + 1, now - SECONDS + 1);
    for (let second = from; second <= now; second += 1) this.#slots[second % SECONDS] = null;
    this.#second = Math.max(this.#second, now);
  }
}

/** What a person would be told of a series. */
export interface Summary {
  now: Slot | null;
  peak: Slot;
  idle: boolean;
  known: boolean;
}

export function summary(series: (Slot | null)[]): Summary {
  const peak = { in: 0, out: 0 };
  let known = false;
  for (const slot of series) {
    if (!slot) continue;
    known = true;
    peak.in = Math.max(peak.in, slot.in);
    peak.out = Math.max(peak.out, slot.out);
  }
  return { now: series.at(-1) ?? null, peak, known, idle: peak.in === 0 && peak.out === 0 };
}
