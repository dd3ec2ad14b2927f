import { and, desc, eq, getTableColumns, isNull, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { inCurrentGeneration } from '../db/generation.ts';
import { nextRevision } from '../db/revision.ts';
import { keyUsage, managementKeys, secrets } from '../db/schema.ts';
import type { Actor } from '../domain/caller.ts';
import type { CursorPosition } from '../http/cursor.ts';

export type ManagementRow = typeof managementKeys.$inferSelect;

export interface ManagementRecord {
  key: ManagementRow;
  start: string;
  lastUsedAt: Date | null;
  retiringUntil: Date | null;
}

/**
 * The management keys that are meant; null: all of them. `currentOnly`: not those of a former tenant
 * of the workspace.
 */
export type Scope = { workspaceId: string; currentOnly: boolean } | null;

const NEXT_REVISION = nextRevision(managementKeys.revision);

export async function findManagementKey(
  db: Orm | Transaction,
  id: string,
  scope: Scope,
): Promise<ManagementRecord | null> {
  const [found] = await selectRecords(db).where(and(eq(managementKeys.id, id), scopedTo(scope)));
  return found ?? null;
}

/** Newest first, after the last row of the page before. */
export function listManagementKeys(
  orm: Orm,
  scope: Scope,
  after: CursorPosition | null,
  limit: number,
): Promise<ManagementRecord[]> {
  const isAfter =
    after &&
    sql`(${managementKeys.createdAt}, ${managementKeys.id}) < (${after.value}::timestamptz, ${after.id})`;
  return selectRecords(orm)
    .where(and(scopedTo(scope), isAfter ?? undefined))
    .orderBy(desc(managementKeys.createdAt), desc(managementKeys.id))
    .limit(limit);
}

/** The row, locked until the transaction ends. */
export async function lockManagementKey(
  tx: Transaction,
  id: string,
  scope: Scope,
): Promise<ManagementRow | null> {
  const [row] = await tx
    .select()
    .from(managementKeys)
    .where(and(eq(managementKeys.id, id), scopedTo(scope)))
    .for('update');
  return row ?? null;
}

export async function insertManagementKey(
  tx: Transaction,
  row: typeof managementKeys.$inferInsert,
): Promise<void> {
  await tx.insert(managementKeys).values(row);
}

/** Writes the changed fields of a locked management key and counts the change. */
export async function updateManagementKey(
  tx: Transaction,
  id: string,
  changes: Partial<ManagementRow>,
): Promise<void> {
  await tx
    .update(managementKeys)
    .set({ ...changes, revision: NEXT_REVISION })
    .where(eq(managementKeys.id, id));
}

/** Ends all management keys of a deleted workspace. Returns how many. */
export async function revokeManagementKeysOfWorkspace(
  tx: Transaction,
  workspaceId: string,
  by: Actor,
  at: Date,
): Promise<number> {
  const ended = await tx
    .update(managementKeys)
    .set({ revokedAt: at, revokedBy: by, updatedAt: at, revision: NEXT_REVISION })
    .where(and(eq(managementKeys.workspaceId, workspaceId), isNull(managementKeys.revokedAt)));
  return ended.rowCount ?? 0;
}

function scopedTo(scope: Scope) {
  if (scope === null) return undefined;
  const generation = scope.currentOnly ? inCurrentGeneration(managementKeys) : undefined;
  return and(eq(managementKeys.workspaceId, scope.workspaceId), generation);
}

function selectRecords(db: Orm | Transaction) {
  const retiringUntil = sql<Date | null>`(
    select max(valid_until) from secrets
     where key_id = ${managementKeys.id} and status = 'retiring')`.mapWith(secrets.validUntil);
  return db
    .select({
      key: getTableColumns(managementKeys),
      start: sql<string>`coalesce(${secrets.start}, '')`,
      lastUsedAt: keyUsage.lastUsedAt,
      retiringUntil,
    })
    .from(managementKeys)
    .leftJoin(secrets, and(eq(secrets.keyId, managementKeys.id), eq(secrets.status, 'current')))
    .leftJoin(keyUsage, eq(keyUsage.keyId, managementKeys.id))
    .$dynamic();
}
