import { sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { runInTime } from '../db/statement-timeout.ts';
import type { Cutoffs } from './cutoffs.ts';
import { fromStart, type Place, type RetentionJob, START, type StepResult } from './job.ts';

const MAX_ROWS = 5000;

interface Moved extends Record<string, unknown> {
  moved: number | null;
  workspaceId: string | null;
  keyId: string | null;
  oldestHour?: number | null;
}

async function moveRecent(
  orm: Orm,
  { before, hoursFrom, daysFrom }: Cutoffs,
  { workspaceId, keyId }: Place,
  maxRows: number,
): Promise<StepResult | null> {
  const [moved] = await runInTime<Moved>(
    orm,
    sql`select moved, end_workspace as "workspaceId", end_key as "keyId",
               extract(epoch from oldest)::float8 * 1000 as "oldestHour"
          from move_usage(${before}, ${hoursFrom}, ${daysFrom}, ${workspaceId}, ${keyId}, ${maxRows})`,
  );
  return toResult(moved);
}

async function moveUnmatched(
  orm: Orm,
  { before, hoursFrom, daysFrom }: Cutoffs,
  _place: Place,
  maxRows: number,
): Promise<StepResult | null> {
  const [row] = await runInTime<{ moved: number | null }>(
    orm,
    sql`select move_unmatched_usage(${before}, ${hoursFrom}, ${daysFrom}, ${maxRows}) as moved`,
  );
  return fromStart(row?.moved, (row?.moved ?? 0) < maxRows);
}

async function moveDays(
  orm: Orm,
  { daysFrom }: Cutoffs,
  { workspaceId, keyId }: Place,
  maxRows: number,
): Promise<StepResult | null> {
  const [moved] = await runInTime<Moved>(
    orm,
    sql`select moved, end_workspace as "workspaceId", end_key as "keyId"
          from move_usage_days(${daysFrom}, ${workspaceId}, ${keyId}, ${maxRows})`,
  );
  return toResult(moved);
}

function toResult(moved: Moved | undefined): StepResult | null {
  if (!moved || moved.moved === null) return null;
  const { workspaceId, keyId, oldestHour = null } = moved;
  const isLast = workspaceId === null || keyId === null;
  return { rows: moved.moved, next: isLast ? null : { ...START, workspaceId, keyId }, oldestHour };
}

/** Each count goes from the recent rows to its hour and its day, and later to its month. */
export const MOVES: readonly RetentionJob[] = [
  { name: 'move_recent', maxRows: MAX_ROWS, removes: false, step: moveRecent },
  { name: 'move_unmatched', maxRows: MAX_ROWS, removes: false, step: moveUnmatched },
  { name: 'move_days', maxRows: MAX_ROWS, removes: false, step: moveDays },
];
