import { sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { runInTime } from '../db/statement-timeout.ts';
import type { Cutoffs } from './cutoffs.ts';
import { fromStart, type RetentionJob, type StepResult } from './job.ts';

/** Ten years of months are made at once. Nobody waits for them. */
const MAKE_TIMEOUT_MS = 10_000;

async function makePartitions(
  orm: Orm,
  { hoursFrom, daysFrom }: Cutoffs,
): Promise<StepResult | null> {
  const make = sql`select make_usage_partitions(${hoursFrom}, ${daysFrom}) as made`;
  const [row] = await runInTime<{ made: boolean }>(orm, make, MAKE_TIMEOUT_MS);
  return fromStart(row?.made ? 0 : null, true);
}

/** One in each step. Behind a reader it ends after 100 ms, and is repeated by the next run. */
async function dropPartition(
  orm: Orm,
  { hoursFrom, daysFrom }: Cutoffs,
): Promise<StepResult | null> {
  const drop = sql`select drop_usage_partition(${hoursFrom}, ${daysFrom}) as name`;
  const [row] = await runInTime<{ name: string | null }>(orm, drop);
  const name = row?.name ?? null;
  return fromStart(name === null ? null : name === '' ? 0 : 1, name === '');
}

export const MAKE_PARTITIONS: RetentionJob = {
  name: 'make_partitions',
  maxRows: 1,
  removes: false,
  step: makePartitions,
};
export const DROP_PARTITIONS: RetentionJob = {
  name: 'drop_partitions',
  maxRows: 1,
  removes: true,
  step: dropPartition,
};
