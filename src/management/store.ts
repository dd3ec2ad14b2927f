import { and, desc, eq, getTableColumns, isNull, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { keyUsage, managementKeys, secrets, workspaces } from '../db/schema.ts';
import type { CursorPosition } from '../http/cursor.ts';

export type ManagementRow = typeof managementKeys.$inferSelect;

export interface ManagementRecord {
  key: ManagementRow;
  start: string;
  lastUsedAt: Date | null;
  retiringUntil: Date | null;
}

/** What a caller may see: its own workspace's, or (null) all. */
export type Visibility = string | null;

export async function findManagementKey(
  db: Orm | Transaction,
  id: string,
  visibility: Visibility,
): Promise<ManagementRecord | null> {
  const [found] = await select(db).where(and(eq(managementKeys.id, id), scopedTo(visibility)));
  return found ?? null;
}

/** Newest first, from where the page before ended. */
export function listManagementKeys(
  orm: Orm,
  visibility: Visibility,
  after: CursorPosition | null,
  limit: number,
): Promise<ManagementRecord[]> {
  const isAfter =
    after &&
    sql`(${managementKeys.createdAt}, ${managementKeys.id}) < (${after.value}::timestamptz, ${after.id})`;
  return select(orm)
    .where(and(scopedTo(visibility), isAfter ?? undefined))
    .orderBy(desc(managementKeys.createdAt), desc(managementKeys.id))
    .limit(limit);
}

export async function lockManagementKey(
  tx: Transaction,
  id: string,
  visibility: Visibility,
): Promise<ManagementRow | null> {
  const [row] = await tx
    .select()
    .from(managementKeys)
    .where(and(eq(managementKeys.id, id), scopedTo(visibility)))
    .for('update');
  return row ?? null;
}

export async function insertManagementKey(
  tx: Transaction,
  row: typeof managementKeys.$inferInsert,
): Promise<void> {
  await tx.insert(managementKeys).values(row);
}

export async function updateManagementKey(
  tx: Transaction,
  id: string,
  changes: Partial<ManagementRow>,
): Promise<void> {
  await tx
    .update(managementKeys)
    .set({ ...changes, revision: sql`${managementKeys.revision} + 1` })
    .where(eq(managementKeys.id, id));
}

/** Held until the transaction ends: it cannot be deleted before what is made for it is there. */
export async function lockWorkspaceShared(tx: Transaction, id: string): Promise<boolean> {
  const found = await tx
    .select({ id: workspaces.id })
    .from(workspaces)
    .where(and(eq(workspaces.id, id), isNull(workspaces.deletedAt)))
    .for('key share');
  return found.length === 1;
}

function scopedTo(visibility: Visibility) {
  return visibility === null ? undefined : eq(managementKeys.workspaceId, visibility);
}

function select(db: Orm | Transaction) {
  const retiringUntil = sql<Date | null>`(
    select valid_until from secrets
     where key_id = ${managementKeys.id} and status = 'retiring')`.mapWith(secrets.validUntil);
  return db
    .select({
      key: getTableColumns(managementKeys),
      start: secrets.start,
      lastUsedAt: keyUsage.lastUsedAt,
      retiringUntil,
    })
    .from(managementKeys)
    .innerJoin(secrets, and(eq(secrets.keyId, managementKeys.id), eq(secrets.status, 'current')))
    .leftJoin(keyUsage, eq(keyUsage.keyId, managementKeys.id))
    .$dynamic();
}
