import type { Rearms } from '../generated/model';

/** A re-arming, as far as the service says. */
export interface Rearm {
  /** When IPv4 was back (RFC 3339); null from a service that keeps no list. */
  time: string | null;
  reason: string | null;
  gapMs: number | null;
  /** How long nobody missed it before that; null when that was not so. */
  standbyMs: number | null;
  from: string | null;
  to: string | null;
  done: string[];
  firstReplyMs: number | null;
}

/** How many are shown: who wants more asks `everclat history`. */
export const SHOWN = 8;

/** Newest first. An older service says only how the last one went. */
export function rearmings(rearms: Rearms & { history?: unknown }): Rearm[] {
  const history = Array.isArray(rearms.history) ? rearms.history.slice(0, SHOWN) : [];
  const entries = history.flatMap((entry: unknown) => (isRecord(entry) ? [read(entry)] : []));
  if (entries.length > 0 || rearms.count === 0) return entries;
  return [
    {
      time: null,
      reason: rearms.last_reason,
      gapMs: rearms.last_ms,
      standbyMs: null,
      from: null,
      to: null,
      done: [],
      firstReplyMs: null,
    },
  ];
}

function read(entry: Record<string, unknown>): Rearm {
  return {
    time: text(entry['time']),
    reason: text(entry['reason']),
    gapMs: count(entry['gap_ms']),
    standbyMs: count(entry['standby_ms']),
    from: text(entry['from']),
    to: text(entry['to']),
    done: Array.isArray(entry['done']) ? entry['done'].filter((step) => typeof step === 'string') : [],
    firstReplyMs: count(entry['first_reply_ms']),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}
