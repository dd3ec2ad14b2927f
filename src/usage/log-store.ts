import { sql } from 'drizzle-orm';
import type { BatchId } from '../db/batch-sequences.ts';
import type { Database, Statement } from '../db/database.ts';
import { runInTime } from '../db/statement-timeout.ts';
import { type KeptIp, originOf } from '../domain/client-context.ts';
import type { UsageBatch, UsageCount } from './counters.ts';
import { SHARDS } from './shards.ts';

const HOUR_MS = 3_600_000;

const APPEND: Statement = {
  name: 'append_usage_log',
  text: 'select append_usage_log($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)',
};

/** What waits in the log for one shard. */
export interface WaitingShard extends Record<string, unknown> {
  shard: number;
  rows: number;
  counters: number;
  /** Of its oldest row. */
  ageMs: number;
}

/**
 * Writes one frozen batch by one call of a database function (migrations/0019_usage_store.sql): one
 * transaction and one round trip. A batch whose number was claimed before has no effect. Lists are
 * joined: Postgres reads one text far sooner than an array of 500.
 */
export async function appendToLog(
  database: Database,
  { instance, stream, sequence }: BatchId,
  { shard, counts, unmatched }: UsageBatch,
  keptIp: KeptIp = 'truncated',
): Promise<void> {
  const latest = Math.round(counts.reduce((time, { lastAt }) => Math.max(time, lastAt), 0));
  await database.query(APPEND, [
    ...[instance, stream, sequence, shard, counts.length + unmatched.length, latest],
    list(counts, ({ secretRef }) => secretRef),
    list(counts, ({ code }) => code),
    list(counts, ({ hour }) => hour / HOUR_MS),
    list(counts, ({ count }) => count),
    list(counts, ({ units }) => units),
    list(counts, ({ lastAt }) => latest - Math.round(lastAt)),
    list(unmatched, ({ workspaceId }) => workspaceId),
    list(unmatched, ({ hour }) => hour / HOUR_MS),
    list(unmatched, ({ count }) => count),
    originsOf(counts, keptIp),
  ]);
}

/** Nothing at all if no caller has said anything, so that most logs pay nothing for it. */
function originsOf(counts: readonly UsageCount[], keptIp: KeptIp): string {
  const origins = list(counts, (count) => originOf(count, keptIp));
  return /[^,]/.test(origins) ? origins : '';
}

function list<Row>(rows: readonly Row[], value: (row: Row) => string | number): string {
  return rows.map(value).join();
}

export function readWaiting(database: Database): Promise<WaitingShard[]> {
  return runInTime<WaitingShard>(
    database.dataOrm,
    sql`select shard, count(*)::integer as rows, sum(counters)::integer as counters,
               (extract(epoch from clock_timestamp() - min(written_at)) * 1000)::float8 as "ageMs"
          from usage_log group by shard`,
  );
}

/** Returns how many counters were left when equal ones were added up; null if another is at work. */
export async function foldShard(
  database: Database,
  shard: number,
  maxCounters: number,
  { passingLocked }: { passingLocked: boolean },
): Promise<number | null> {
  const fold = sql`select fold_usage_log(${shard}, ${maxCounters}, ${passingLocked}) as merged`;
  const [row] = await runInTime<{ merged: number | null }>(database.dataOrm, fold);
  return row?.merged ?? null;
}

/**
 * Brings counters of small flushes into rows of one shard each, and returns how many; null if another is
 * at work.
 */
export async function shardMixed(database: Database, maxCounters: number): Promise<number | null> {
  const move = sql`select shard_usage_log(${maxCounters}, ${SHARDS}) as moved`;
  const [row] = await runInTime<{ moved: number | null }>(database.dataOrm, move);
  return row?.moved ?? null;
}
