import { and, eq, gte, lt, type SQL, sql } from 'drizzle-orm';
import { type BatchId, claimBatch } from '../db/batch-sequence.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { keys, keyUsage, secrets, secretUsage, usageHourly, usageUnmatched } from '../db/schema.ts';
import type { UnmatchedCount, UsageBatch, UsageCount } from './usage.counters.ts';

/** Writes one frozen batch: four set-based upserts in one transaction. */
export async function writeUsage(orm: Orm, id: BatchId, batch: UsageBatch): Promise<void> {
  await orm.transaction(async (tx) => {
    if (!(await claimBatch(tx, id))) return;
    if (batch.counts.length > 0) await upsertCounts(tx, batch.counts);
    if (batch.unmatched.length > 0) await upsertUnmatched(tx, batch.unmatched);
  });
}

async function upsertCounts(tx: Transaction, counts: readonly UsageCount[]): Promise<void> {
  const rows = sql`unnest(
    ${column(counts, (c) => c.keyId)}::text[], ${column(counts, (c) => c.secretRef)}::text[],
    ${column(counts, (c) => c.code)}::text[], ${column(counts, (c) => c.hour)}::float8[],
    ${column(counts, (c) => c.count)}::bigint[], ${column(counts, (c) => c.lastAt)}::float8[]
  ) as batch (key_id, secret_ref, code, hour, count, last_at)`;
  await tx
    .insert(usageHourly)
    .select(
      sql`select key_id, to_timestamp(hour / 1000), secret_ref, code, count from ${rows} order by 1, 2, 3, 4`,
    )
    .onConflictDoUpdate({
      target: [usageHourly.keyId, usageHourly.hour, usageHourly.secretRef, usageHourly.code],
      set: { count: sql`${usageHourly.count} + excluded.count` },
    });
  await tx
    .insert(keyUsage)
    .select(totalsBy(sql`key_id`, rows))
    .onConflictDoUpdate({ target: keyUsage.keyId, set: addTotals(sql`key_usage`) });
  await tx
    .insert(secretUsage)
    .select(totalsBy(sql`secret_ref`, rows))
    .onConflictDoUpdate({ target: secretUsage.secretRef, set: addTotals(sql`secret_usage`) });
}

/** Sorted, so that two instances lock the same rows in the same order. */
function totalsBy(name: SQL, rows: SQL): SQL {
  return sql`select ${name}, sum(count)::bigint,
                    to_timestamp(max(last_at) filter (where code = 'VALID') / 1000),
                    to_timestamp(max(last_at) filter (where code <> 'VALID') / 1000)
               from ${rows} group by 1 order by 1`;
}

/** `greatest` passes over nulls. */
function addTotals(table: SQL) {
  return {
    total: sql`${table}.total + excluded.total`,
    lastUsedAt: sql`greatest(${table}.last_used_at, excluded.last_used_at)`,
    lastDeniedAt: sql`greatest(${table}.last_denied_at, excluded.last_denied_at)`,
  };
}

async function upsertUnmatched(tx: Transaction, counts: readonly UnmatchedCount[]): Promise<void> {
  await tx
    .insert(usageUnmatched)
    .select(
      sql`select workspace_id, to_timestamp(hour / 1000), count from unnest(
        ${column(counts, (c) => c.workspaceId)}::text[], ${column(counts, (c) => c.hour)}::float8[],
        ${column(counts, (c) => c.count)}::bigint[]) as batch (workspace_id, hour, count)
        order by 1, 2`,
    )
    .onConflictDoUpdate({
      target: [usageUnmatched.workspaceId, usageUnmatched.hour],
      set: { count: sql`${usageUnmatched.count} + excluded.count` },
    });
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
