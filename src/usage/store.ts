import { and, eq, type SQL, sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { inCurrentGeneration } from '../db/generation.ts';
import { keys } from '../db/schema.ts';

/** Null: of strings that were removed. */
export interface UsageBucket extends Record<string, unknown> {
  secretId: string | null;
  start: string | null;
  code: string;
  /** Start of the bucket, in epoch milliseconds. */
  bucket: number;
  count: number;
}

/** Where the counts of closed days are, beside `usage_recent`. */
const MOVED = {
  hour: sql`select hour, secret_ref, code, count from usage_hours`,
  day: sql`select day::timestamp at time zone 'UTC', secret_ref, code, count from usage_days`,
};
const TIME = { hour: sql`hour`, day: sql`day` };

/**
 * The counts of a key from `from` (inclusive) to `to` (exclusive), by UTC hour or day. Its strings are
 * found by the key: by the rows alone, a plan would read all strings of all keys.
 */
export async function readUsage(
  orm: Orm,
  key: { id: string; workspaceId: string },
  { from, to, granularity }: { from: Date; to: Date; granularity: 'hour' | 'day' },
): Promise<UsageBucket[]> {
  const ofKey = sql`workspace_id = ${key.workspaceId} and key_id = ${key.id}`;
  const between = (time: SQL) =>
    sql`${time} >= ${from.toISOString()} and ${time} < ${to.toISOString()}`;
  const { rows } = await orm.execute<UsageBucket>(sql`
    select s.id as "secretId", s.start, u.code, sum(u.count)::float8 as count,
           extract(epoch from date_trunc(${granularity}, u.hour, 'UTC'))::float8 * 1000 as bucket
      from (select hour, secret_ref, code, count from usage_recent
             where ${ofKey} and ${between(sql`hour`)}
            union all ${MOVED[granularity]} where ${ofKey} and ${between(TIME[granularity])}) as u
      left join secrets s on s.key_id = ${key.id} and s.ref = u.secret_ref
     group by s.id, s.start, u.code, bucket order by bucket`);
  return rows;
}

/** Whose keys are meant. */
export interface Scope {
  /** Null: those of all workspaces. */
  workspaceId: string | null;
  /** Not those of a former tenant of the workspace. */
  currentOnly: boolean;
}

/** A key that there is or was: deleted ones keep their history until they are removed. */
export async function findKey(
  orm: Orm,
  { workspaceId, currentOnly }: Scope,
  keyId: string,
): Promise<{ id: string; workspaceId: string } | undefined> {
  const [found] = await orm
    .select({ id: keys.id, workspaceId: keys.workspaceId })
    .from(keys)
    .where(
      and(
        eq(keys.id, keyId),
        workspaceId === null ? undefined : eq(keys.workspaceId, workspaceId),
        currentOnly ? inCurrentGeneration(keys) : undefined,
      ),
    );
  return found;
}
