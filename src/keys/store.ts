import { and, count, eq, gt, inArray, isNull, or, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { keys } from '../db/schema.ts';
import type { Actor } from '../domain/caller.ts';

export type KeyRow = typeof keys.$inferSelect;
export type NewKeyRow = typeof keys.$inferInsert;
export type KeyChanges = Partial<KeyRow>;

/** The workspace whose keys are meant; null: all of them. */
export type Scope = string | null;

type Reader = Orm | Transaction;

const NEXT_REVISION = sql`${keys.revision} + 1`;

/** The key's row, locked until the transaction ends. */
export async function lockKey(tx: Transaction, scope: Scope, id: string) {
  const [row] = await lockKeys(tx, scope, { ids: [id] }, 1);
  return row ?? null;
}

/** Locks keys by id, in id order, as every transaction does that locks several. */
export function lockKeys(
  tx: Transaction,
  scope: Scope,
  filter: { ids: readonly string[] } | { ownerId: string },
  limit: number,
): Promise<KeyRow[]> {
  const chosen =
    'ids' in filter ? inArray(keys.id, [...filter.ids]) : eq(keys.ownerId, filter.ownerId);
  return tx
    .select()
    .from(keys)
    .where(and(inWorkspace(scope), chosen))
    .orderBy(keys.id)
    .limit(limit)
    .for('update');
}

export function isExpired({ expiresAt }: Pick<KeyRow, 'expiresAt'>, at: Date): boolean {
  return expiresAt !== null && expiresAt <= at;
}

/** Keys that are neither revoked nor expired. */
export async function countActiveKeys(db: Reader, workspaceId: string, at: Date): Promise<number> {
  const isUnexpired = or(isNull(keys.expiresAt), gt(keys.expiresAt, at));
  const [row] = await db
    .select({ active: count() })
    .from(keys)
    .where(and(inWorkspace(workspaceId), isNull(keys.revokedAt), isUnexpired));
  return row?.active ?? 0;
}

export async function insertKeys(tx: Transaction, rows: readonly NewKeyRow[]): Promise<KeyRow[]> {
  if (rows.length === 0) return [];
  return tx
    .insert(keys)
    .values([...rows])
    .returning();
}

export async function insertKey(tx: Transaction, row: NewKeyRow): Promise<KeyRow> {
  const [inserted] = await insertKeys(tx, [row]);
  if (!inserted) throw new Error('an insert returns its row');
  return inserted;
}

/** Writes the same changes to several locked keys and counts the change of each. */
export async function updateKeys(
  tx: Transaction,
  ids: readonly string[],
  changes: KeyChanges,
): Promise<KeyRow[]> {
  if (ids.length === 0) return [];
  return tx
    .update(keys)
    .set({ ...changes, revision: NEXT_REVISION })
    .where(inArray(keys.id, [...ids]))
    .returning();
}

export async function updateKey(tx: Transaction, id: string, changes: KeyChanges): Promise<KeyRow> {
  const [updated] = await updateKeys(tx, [id], changes);
  if (!updated) throw new Error('a locked row can be updated');
  return updated;
}

/** Ends all keys of a deleted workspace; who revoked one before stays. Returns how many. */
export async function deleteKeysOfWorkspace(
  tx: Transaction,
  workspaceId: string,
  by: Actor,
  at: Date,
): Promise<number> {
  // In id order, as every writer that locks several keys does.
  await tx.execute(sql`
    select count(*) from (
      select from ${keys} where ${inWorkspace(workspaceId)} order by ${keys.id} for update) as locked`);
  const ended = await tx
    .update(keys)
    .set({
      revokedAt: sql`coalesce(${keys.revokedAt}, ${at.toISOString()}::timestamptz)`,
      revokedBy: sql`coalesce(${keys.revokedBy}, ${JSON.stringify(by)}::jsonb)`,
      deletedAt: at,
      updatedAt: at,
      revision: NEXT_REVISION,
    })
    .where(inWorkspace(workspaceId));
  return ended.rowCount ?? 0;
}

export function inWorkspace(scope: Scope) {
  return and(scope === null ? undefined : eq(keys.workspaceId, scope), isNull(keys.deletedAt));
}
