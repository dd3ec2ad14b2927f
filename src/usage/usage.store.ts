import { and, eq, gte, lt, type SQL, sql } from 'drizzle-orm';
import { type BatchId, claim } from '../db/batch-sequence.ts';
import type { Orm } from '../db/database.ts';
import { keys, secrets, usageHourly } from '../db/schema.ts';
import type { UnmatchedCount, UsageBatch, UsageCount } from './usage.counters.ts';

/**
 * Writes one frozen batch: one statement, so one transaction and one round trip. All of it hangs
 * on claiming the batch's number. Rows are sorted, so that two instances lock them in one order.
 */
export async function writeUsage(orm: Orm, id: BatchId, batch: UsageBatch): Promise<void> {
  await orm.execute(sql`
    with claimed as (${claim(id)}),
         counted as (select c.* from claimed, ${countRows(batch.counts)}),
         unmatched as (select u.* from claimed, ${unmatchedRows(batch.unmatched)}),
         hourly as (
           insert into usage_hourly (key_id, hour, secret_ref, code, count)
           select key_id, to_timestamp(hour / 1000), secret_ref, code, count
             from counted order by 1, 2, 3, 4
           on conflict (key_id, hour, secret_ref, code)
           do update set count = usage_hourly.count + excluded.count),
         by_key as (${addTotals(sql`key_usage`, sql`key_id`)}),
         by_secret as (${addTotals(sql`secret_usage`, sql`secret_ref`)})
    insert into usage_unmatched (workspace_id, hour, count)
    select workspace_id, to_timestamp(hour / 1000), count from unmatched order by 1, 2
    on conflict (workspace_id, hour)
    do update set count = usage_unmatched.count + excluded.count`);
}

function countRows(counts: readonly UsageCount[]): SQL {
  return sql`unnest(
    ${column(counts, (c) => c.keyId)}::text[], ${column(counts, (c) => c.secretRef)}::text[],
    ${column(counts, (c) => c.code)}::text[], ${column(counts, (c) => c.hour)}::float8[],
    ${column(counts, (c) => c.count)}::bigint[], ${column(counts, (c) => c.lastAt)}::float8[]
  ) as c (key_id, secret_ref, code, hour, count, last_at)`;
}

function unmatchedRows(counts: readonly UnmatchedCount[]): SQL {
  return sql`unnest(
    ${column(counts, (c) => c.workspaceId)}::text[], ${column(counts, (c) => c.hour)}::float8[],
    ${column(counts, (c) => c.count)}::bigint[]) as u (workspace_id, hour, count)`;
}

/** `greatest` passes over nulls. */
function addTotals(table: SQL, name: SQL): SQL {
  return sql`
    insert into ${table} (${name}, total, last_used_at, last_denied_at)
    select ${name}, sum(count)::bigint,
           to_timestamp(max(last_at) filter (where code = 'VALID') / 1000),
           to_timestamp(max(last_at) filter (where code <> 'VALID') / 1000)
      from counted group by 1 order by 1
    on conflict (${name}) do update set
      total = ${table}.total + excluded.total,
      last_used_at = greatest(${table}.last_used_at, excluded.last_used_at),
      last_denied_at = greatest(${table}.last_denied_at, excluded.last_denied_at)`;
}

function column<Row, Value>(rows: readonly Row[], value: (row: Row) => Value) {
  return sql.param(rows.map(value));
}

export interface UsageBucket {
  secretRef: string;
  secretId: string;
  start: string;
  code: string;
  bucket: Date;
  count: number;
}

/** Counts of a key from `from` (inclusive) to `to` (exclusive), by UTC hour or day. */
export async function readUsage(
  orm: Orm,
  keyId: string,
  range: { from: Date; to: Date; granularity: 'hour' | 'day' },
): Promise<UsageBucket[]> {
  const unit = sql.raw(`'${range.granularity}'`);
  const bucket = sql<Date>`date_trunc(${unit}, ${usageHourly.hour}, 'UTC')`.mapWith(
    usageHourly.hour,
  );
  return orm
    .select({
      secretRef: usageHourly.secretRef,
      secretId: secrets.id,
      start: secrets.start,
      code: usageHourly.code,
      bucket,
      count: sql<number>`sum(${usageHourly.count})`.mapWith(Number),
    })
    .from(usageHourly)
    .innerJoin(secrets, eq(secrets.ref, usageHourly.secretRef))
    .where(
      and(
        eq(usageHourly.keyId, keyId),
        gte(usageHourly.hour, range.from),
        lt(usageHourly.hour, range.to),
      ),
    )
    .groupBy(usageHourly.secretRef, secrets.id, secrets.start, usageHourly.code, bucket)
    .orderBy(bucket);
}

/** Whether the workspace has such a key: deleted ones keep their history. */
export async function keyExists(orm: Orm, workspaceId: string, keyId: string): Promise<boolean> {
  const found = await orm
    .select({ id: keys.id })
    .from(keys)
    .where(and(eq(keys.id, keyId), eq(keys.workspaceId, workspaceId)));
  return found.length === 1;
}
