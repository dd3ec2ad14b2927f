import type { Config } from '../config.ts';

const DAY_MS = 86_400_000;
/** After midnight, what was counted before it has been flushed and folded. */
const SETTLED_MS = 15 * 60_000;
/** Longer than any transaction that revokes. */
const COMMITTED_MS = 10 * 60_000;

/** Up to where what is kept. Days are in UTC. */
export interface Cutoffs {
  /** Hours before it are moved: the start of the present day. */
  before: string;
  hoursFrom: string;
  /** The first day of a month. */
  daysFrom: string;
  keysDeletedBefore: string;
  secretsRetiredBefore: string;
  /** Until when revocations have committed. */
  keysEndedBefore: string;
}

export function cutoffsAt(now: number, kept: Config['retention']): Cutoffs {
  const today = startOfDay(now);
  const oldestDay = new Date(today - kept.days * DAY_MS).toISOString();
  return {
    before: toText(startOfDay(now - SETTLED_MS)),
    hoursFrom: toText(today - kept.hours * DAY_MS),
    daysFrom: `${oldestDay.slice(0, 7)}-01`,
    keysDeletedBefore: toText(now - kept.deletedKeys * DAY_MS),
    secretsRetiredBefore: toText(now - kept.retiredSecrets * DAY_MS),
    keysEndedBefore: toText(now - COMMITTED_MS),
  };
}

function startOfDay(time: number): number {
  return Math.floor(time / DAY_MS) * DAY_MS;
}

function toText(time: number): string {
  return new Date(time).toISOString();
}
