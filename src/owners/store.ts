import { and, eq, gt, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { inCurrentGeneration } from '../db/generation.ts';
import { keys } from '../db/schema.ts';

/** Whose keys are meant. */
export interface Owner {
  workspaceId: string;
  ownerId: string;
  /** Not those of a former tenant of the workspace. */
  currentOnly: boolean;
}

/** Keys of an owner behind `after`, in id order. Deleted ones too: what they left behind is still kept. */
export async function findKeysOfOwner(
  orm: Orm,
  { workspaceId, ownerId, currentOnly }: Owner,
  after: string,
  limit: number,
): Promise<string[]> {
  const rows = await orm
    .select({ id: keys.id })
    .from(keys)
    .where(
      and(
        eq(keys.workspaceId, workspaceId),
        eq(keys.ownerId, ownerId),
        gt(keys.id, after),
        currentOnly ? inCurrentGeneration(keys) : undefined,
      ),
    )
    .orderBy(keys.id)
    .limit(limit);
  return rows.map(({ id }) => id);
}

/** Instances agree on the time but for a few milliseconds. */
const AHEAD_MS = 1000;

/** From where keys were last used, which counters that still wait do not bring back. */
export async function eraseLastUsedFrom(
  tx: Transaction,
  ids: readonly string[],
  at: Date,
): Promise<void> {
  const until = at.getTime() + AHEAD_MS;
  await tx.execute(
    sql`select erase_last_used_from(${sql.param([...ids])}::text[], ${until}::bigint)`,
  );
}
