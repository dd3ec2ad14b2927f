import { and, eq, gte, lt, sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { inCurrentGeneration } from '../db/generation.ts';
import { keys, secrets, usageHourly } from '../db/schema.ts';

export interface UsageBucket {
  secretRef: string;
  secretId: string;
  start: string;
  code: string;
  bucket: Date;
  count: number;
}

/** The counts of a key from `from` (inclusive) to `to` (exclusive), by UTC hour or day. */
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

/** Whose keys are meant. */
export interface Scope {
  /** Null: those of all workspaces. */
  workspaceId: string | null;
  /** Not those of a former tenant of the workspace. */
  currentOnly: boolean;
}

/** Whether there is or was such a key: deleted ones keep their history. */
export async function keyExists(
  orm: Orm,
  { workspaceId, currentOnly }: Scope,
  keyId: string,
): Promise<boolean> {
  const found = await orm
    .select({ id: keys.id })
    .from(keys)
    .where(
      and(
        eq(keys.id, keyId),
        workspaceId === null ? undefined : eq(keys.workspaceId, workspaceId),
        currentOnly ? inCurrentGeneration(keys) : undefined,
      ),
    );
  return found.length === 1;
}
