import { and, asc, desc, eq, getTableColumns, isNull, type SQL, sql } from 'drizzle-orm';
import { anyOf } from '../db/any-of.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { inCurrentGeneration } from '../db/generation.ts';
import { nextRevision } from '../db/revision.ts';
import { keyUsage, managementKeys, secrets, webhooks } from '../db/schema.ts';
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

export interface ManagementKeyFilter {
  scope: Scope;
  /** Only what this key made. */
  createdBy: string | undefined;
}

/** Newest first, after the last row of the page before. */
export function listManagementKeys(
  orm: Orm,
  { scope, createdBy }: ManagementKeyFilter,
  after: CursorPosition | null,
  limit: number,
): Promise<ManagementRecord[]> {
  const isAfter =
    after &&
    sql`(${managementKeys.createdAt}, ${managementKeys.id}) < (${after.value}::timestamptz, ${after.id})`;
  return selectRecords(orm)
    .where(
      and(
        scopedTo(scope),
        createdBy === undefined ? undefined : isMadeBy(createdBy),
        isAfter ?? undefined,
      ),
    )
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

/** The rows, locked until the transaction ends, in the order in which all are locked. */
export function lockManagementKeys(tx: Transaction, which: SQL): Promise<ManagementRow[]> {
  return tx
    .select()
    .from(managementKeys)
    .where(which)
    .orderBy(asc(managementKeys.createdAt), asc(managementKeys.id))
    .for('update');
}

export function isOneOf(ids: readonly string[]): SQL {
  return anyOf(managementKeys.id, ids);
}

/** The row, which nobody changes until the transaction ends; others may read it so too. */
export async function lockMaker(tx: Transaction, id: string): Promise<ManagementRow | null> {
  const [row] = await tx
    .select()
    .from(managementKeys)
    .where(eq(managementKeys.id, id))
    .for('share');
  return row ?? null;
}

/**
 * Locks all keys that a locked one made: in the order of their creation, so makers come before what
 * they made. Keys that were made while this waited are found by another look.
 */
export async function lockMade(tx: Transaction, id: string): Promise<ManagementRow[]> {
  for (let known = 0; ; ) {
    const rows = await lockManagementKeys(tx, isMadeBy(id));
    if (rows.length === known) return rows;
    known = rows.length;
  }
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

/** Revokes locked management keys for good. */
export async function revokeRows(
  tx: Transaction,
  rows: readonly ManagementRow[],
  by: Actor,
  at: Date,
): Promise<void> {
  if (rows.length === 0) return;
  await tx
    .update(managementKeys)
    .set({ revokedAt: at, revokedBy: by, updatedAt: at, revision: NEXT_REVISION })
    .where(isOneOf(rows.map(({ id }) => id)));
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

/** The webhooks that were disabled with these keys, which made or directed them: the database does that. */
export function findDisabledWebhooks(tx: Transaction, keyIds: readonly string[], at: Date) {
  return tx
    .select({ id: webhooks.id, workspaceId: webhooks.workspaceId })
    .from(webhooks)
    .where(
      and(
        sql`array[${webhooks.createdBy} ->> 'id', ${webhooks.directedBy} ->> 'id'] && ${sql.param([...keyIds])}::text[]`,
        eq(webhooks.disabledReason, 'creator_revoked'),
        eq(webhooks.updatedAt, at),
      ),
    );
}

/**
 * What a key made: what it created or was handed by a rotation, and what those made.
 */
function isMadeBy(id: string): SQL {
  return sql`${managementKeys.id} in (
    with recursive made (id) as (
      select ${id}
      union
      select one.id
        from made join ${managementKeys} one
          on one.created_by ->> 'id' = made.id or one.rotated_by @> array[made.id])
    select id from made where id <> ${id})`;
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
