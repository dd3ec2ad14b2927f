import { sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { runInTime } from '../db/statement-timeout.ts';
import type { Cutoffs } from './cutoffs.ts';
import { type Place, type RetentionJob, START, type StepResult } from './job.ts';

/** Of more than 1000, the feed would name the whole workspace. */
const MAX_KEYS = 500;

interface Marked extends Record<string, unknown> {
  looked: number | null;
  marked: number;
  keyId: string;
  endedAt: string;
}

async function markEndedKeys(
  orm: Orm,
  { keysEndedBefore }: Cutoffs,
  { endedAt, keyId }: Place,
  max: number,
): Promise<StepResult | null> {
  const [done] = await runInTime<Marked>(
    orm,
    sql`select looked, marked, end_key as "keyId", end_time::text as "endedAt"
          from mark_ended_keys(${endedAt}, ${keyId}, ${keysEndedBefore}, ${max})`,
  );
  if (!done || done.looked === null) return null;
  const place = { ...START, keyId: done.keyId, endedAt: done.endedAt };
  const isLast = done.looked < max;
  return { rows: done.marked, next: isLast ? null : place, resumeAt: place };
}

/** What the hygiene report then does not pass over. Each instance begins with all keys that have ended. */
export const MARK_ENDED_KEYS: RetentionJob = {
  name: 'mark_ended_keys',
  maxRows: MAX_KEYS,
  removes: false,
  step: markEndedKeys,
};
