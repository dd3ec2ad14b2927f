import { HOUR_MS } from '../../db/key-predicates.ts';

/** After its end, what was counted in an hour has been flushed and folded. */
const SETTLED_MS = 5 * 60_000;
/** Often enough that no hour is passed by, and soon after its end. */
export const EVERY_QUARTER_MS = 15 * 60_000;

/** The start of the last hour that is over, in epoch milliseconds. */
export function lastSettledHour(now: Date): number {
  return Math.floor((now.getTime() - SETTLED_MS) / HOUR_MS) * HOUR_MS - HOUR_MS;
}
