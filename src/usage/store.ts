import { and, eq, sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { inCurrentGeneration } from '../db/generation.ts';
import { keys } from '../db/schema.ts';
import type { UsageRange } from './query/range.ts';
import { usageRows } from './query/rows.ts';

export interface UsageCount extends Record<string, unknown> {
  /** Null: of strings that were removed. */
  secretId: string | null;
  start: string | null;
  code: string;
  /** The number of the bucket, from 1. */
  bucket: number;
  count: number;
  units: number;
}

/**
 * The counts of a key in a range. Its strings are found by the key: by the rows alone, a plan would read
 * all strings of all keys.
 */
export async function readUsage(
  orm: Orm,
  { id, workspaceId }: { id: string; workspaceId: string },
  range: UsageRange,
): Promise<UsageCount[]> {
  const counts = usageRows(range, { workspaceId, keyIds: [id] }, ['secretRef', 'code', 'bucket']);
  const { rows } = await orm.execute<UsageCount>(sql`
    select s.id as "secretId", s.start, u.code, u.bucket,
           sum(u.count)::float8 as count, sum(u.units)::float8 as units
      from (${counts}) as u left join secrets s on s.key_id = ${id} and s.ref = u."secretRef"
     group by s.id, s.start, u.code, u.bucket order by u.bucket`);
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
