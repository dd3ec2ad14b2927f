import { and, asc, eq, gt, isNull, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { keys, managementKeys, workspaces } from '../db/schema.ts';
import type { Actor } from '../domain/caller.ts';

export type WorkspaceRow = typeof workspaces.$inferSelect;
export type WorkspaceChanges = Partial<WorkspaceRow>;

export async function findWorkspace(db: Orm | Transaction, id: string) {
  const [row] = await db
    .select()
    .from(workspaces)
    .where(and(eq(workspaces.id, id), isNull(workspaces.deletedAt)));
  return row ?? null;
}

/** The row, locked until the transaction ends, also where the workspace has been deleted. */
export async function lockWorkspace(tx: Transaction, id: string): Promise<WorkspaceRow | null> {
  const [row] = await tx.select().from(workspaces).where(eq(workspaces.id, id)).for('update');
  return row ?? null;
}

/** By id, from where the page before ended; `only` is what a bound caller may see. */
export function listWorkspaces(
  orm: Orm,
  { only, after, limit }: { only: string | null; after: string | null; limit: number },
): Promise<WorkspaceRow[]> {
  return orm
    .select()
    .from(workspaces)
    .where(
      and(
        isNull(workspaces.deletedAt),
        only === null ? undefined : eq(workspaces.id, only),
        after === null ? undefined : gt(workspaces.id, after),
      ),
    )
    .orderBy(asc(workspaces.id))
    .limit(limit);
}

/** False where another transaction has just created it. */
export async function insertWorkspace(
  tx: Transaction,
  row: typeof workspaces.$inferInsert,
): Promise<boolean> {
  const inserted = await tx.insert(workspaces).values(row).onConflictDoNothing().returning();
  return inserted.length === 1;
}

export async function updateWorkspace(
  tx: Transaction,
  id: string,
  changes: WorkspaceChanges,
): Promise<WorkspaceRow> {
  const [updated] = await tx
    .update(workspaces)
    .set({ ...changes, revision: sql`${workspaces.revision} + 1` })
    .where(eq(workspaces.id, id))
    .returning();
  if (!updated) throw new Error('a locked row can be updated');
  return updated;
}

/** Ends all keys and management keys of a workspace. Returns how many keys that were. */
export async function endKeys(tx: Transaction, id: string, by: Actor, at: Date): Promise<number> {
  const revoked = {
    revokedAt: sql`coalesce(revoked_at, ${at.toISOString()}::timestamptz)`,
    revokedBy: sql`coalesce(revoked_by, ${JSON.stringify(by)}::jsonb)`,
    updatedAt: at,
  };
  const ended = await tx
    .update(keys)
    .set({ ...revoked, deletedAt: at })
    .where(and(eq(keys.workspaceId, id), isNull(keys.deletedAt)));
  await tx
    .update(managementKeys)
    .set(revoked)
    .where(and(eq(managementKeys.workspaceId, id), isNull(managementKeys.revokedAt)));
  return ended.rowCount ?? 0;
}
