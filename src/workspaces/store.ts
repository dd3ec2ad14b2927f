import { and, asc, eq, gt, isNull, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { nextRevision } from '../db/revision.ts';
import { workspaces } from '../db/schema.ts';

export type WorkspaceRow = typeof workspaces.$inferSelect;
export type WorkspaceChanges = Partial<WorkspaceRow>;

/**
 * How a workspace is locked until the transaction ends:
 * - `key share`: it cannot be deleted, nor its policies changed; any number at the same time
 * - `no key update`: nobody else changes it; does not wait for `key share`
 * - `update`: alone
 */
export type WorkspaceLock = 'key share' | 'no key update' | 'update';

export async function findWorkspace(
  db: Orm | Transaction,
  id: string,
): Promise<WorkspaceRow | null> {
  const [row] = await db
    .select()
    .from(workspaces)
    .where(and(eq(workspaces.id, id), isNull(workspaces.deletedAt)));
  return row ?? null;
}

/** Whether there is or was such a workspace: what a deleted one leaves behind stays readable. */
export async function workspaceExisted(db: Orm | Transaction, id: string): Promise<boolean> {
  const found = await db
    .select({ id: workspaces.id })
    .from(workspaces)
    .where(eq(workspaces.id, id));
  return found.length === 1;
}

/** The locked row, also if the workspace is deleted. */
export async function lockWorkspace(
  tx: Transaction,
  id: string,
  lock: WorkspaceLock,
): Promise<WorkspaceRow | null> {
  const [row] = await tx.select().from(workspaces).where(eq(workspaces.id, id)).for(lock);
  return row ?? null;
}

/** `only` is the workspace of a bound caller. */
export interface WorkspaceRange {
  only: string | null;
  after: string | null;
  limit: number;
}

/** By id. */
export function listWorkspaces(orm: Orm, range: WorkspaceRange): Promise<WorkspaceRow[]> {
  return orm
    .select()
    .from(workspaces)
    .where(within(range))
    .orderBy(asc(workspaces.id))
    .limit(range.limit);
}

/** The bytes of the same rows. */
export async function sizesOfWorkspaces(orm: Orm, range: WorkspaceRange): Promise<number[]> {
  const rows = await orm
    .select({ bytes: sql<number>`octet_length(${workspaces}::text)` })
    .from(workspaces)
    .where(within(range))
    .orderBy(asc(workspaces.id))
    .limit(range.limit);
  return rows.map(({ bytes }) => bytes);
}

function within({ only, after }: WorkspaceRange) {
  return and(
    isNull(workspaces.deletedAt),
    only === null ? undefined : eq(workspaces.id, only),
    after === null ? undefined : gt(workspaces.id, after),
  );
}

/** False if there is a workspace with this id, be it deleted. */
export async function insertWorkspace(
  tx: Transaction,
  row: typeof workspaces.$inferInsert,
): Promise<boolean> {
  const inserted = await tx.insert(workspaces).values(row).onConflictDoNothing().returning();
  return inserted.length === 1;
}

/** Writes the changed fields of a locked workspace and counts the change. */
export async function updateWorkspace(
  tx: Transaction,
  id: string,
  changes: WorkspaceChanges,
): Promise<WorkspaceRow> {
  const [updated] = await tx
    .update(workspaces)
    .set({ ...changes, revision: nextRevision(workspaces.revision) })
    .where(eq(workspaces.id, id))
    .returning();
  if (!updated) throw new Error('a locked row can be updated');
  return updated;
}
