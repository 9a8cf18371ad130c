import type { Rearm, Rearms } from '../generated/model';

/** How many are shown: who wants more asks `everclat history`. */
export const SHOWN = 8;

/** A re-arming, as far as the service says. */
export type Told = Pick<Rearm, 'gap_ms' | 'reason'> & Partial<Rearm>;

/** Newest first. A service that keeps no list says only how the last one went. */
export function rearmings(rearms: Rearms): Told[] {
  if (rearms.history.length > 0) return rearms.history.slice(0, SHOWN);
  if (rearms.last_ms === null || rearms.last_reason === null) return [];
  return [{ reason: rearms.last_reason, gap_ms: rearms.last_ms }];
}
