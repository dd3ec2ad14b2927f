import { and, count, eq, exists, gt, isNotNull, isNull, or, sql } from 'drizzle-orm';
import { anyOf } from '../db/any-of.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { insertRows } from '../db/insert-rows.ts';
import { nextRevision } from '../db/revision.ts';
import { keys, workspaces } from '../db/schema.ts';
import type { Actor } from '../domain/caller.ts';
import { partsOf } from '../lib/turns.ts';

export type KeyRow = typeof keys.$inferSelect;
export type NewKeyRow = typeof keys.$inferInsert;
export type KeyChanges = Partial<KeyRow>;

/** The workspace whose keys are meant; null: all of them. */
export type Scope = string | null;

type Reader = Orm | Transaction;

const NEXT_REVISION = nextRevision(keys.revision);

/** The key's row, locked until the transaction ends. */
export async function lockKey(tx: Transaction, scope: Scope, id: string) {
  const [row] = await lockKeys(tx, scope, { ids: [id] }, 1);
  return row ?? null;
}

/** Which keys are meant; by both, those of the ids that are the owner's. */
export interface KeyFilter {
  ids?: readonly string[];
  ownerId?: string;
}

/** Locks keys by id, in id order, as every transaction does that locks several. */
export function lockKeys(
  tx: Transaction,
  scope: Scope,
  filter: KeyFilter,
  limit: number,
): Promise<KeyRow[]> {
  return tx
    .select()
    .from(keys)
    .where(and(inExistingWorkspace(scope), chosenBy(filter)))
    .orderBy(keys.id)
    .limit(limit)
    .for('update');
}

/** Which keys a filter chooses at the moment, in id order. */
export function findChosenKeys(db: Reader, scope: Scope, filter: KeyFilter, limit: number) {
  return db
    .select({ id: keys.id, revokedAt: keys.revokedAt })
    .from(keys)
    .where(and(inExistingWorkspace(scope), chosenBy(filter)))
    .orderBy(keys.id)
    .limit(limit);
}

function chosenBy({ ids, ownerId }: KeyFilter) {
  return and(
    ids && anyOf(keys.id, ids),
    ownerId === undefined ? undefined : eq(keys.ownerId, ownerId),
  );
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

/** Writing or reading them takes a few milliseconds. */
const STATEMENT_ROWS = 50;

export async function insertKeys(tx: Transaction, rows: readonly NewKeyRow[]): Promise<KeyRow[]> {
  const inserted: KeyRow[] = [];
  for (const part of partsOf(rows, { items: STATEMENT_ROWS })) {
    await tx.execute(insertRows(keys, part));
    const ids = part.map(({ id }) => id);
    inserted.push(...(await tx.select().from(keys).where(anyOf(keys.id, ids))));
  }
  return inserted;
}

export async function insertKey(tx: Transaction, row: NewKeyRow): Promise<KeyRow> {
  const [inserted] = await tx.insert(keys).values(row).returning();
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
    .where(anyOf(keys.id, ids))
    .returning();
}

export async function updateKey(tx: Transaction, id: string, changes: KeyChanges): Promise<KeyRow> {
  const [updated] = await updateKeys(tx, [id], changes);
  if (!updated) throw new Error('a locked row can be updated');
  return updated;
}

/** How many keys of a workspace one transaction ends. */
const STEP = 500;

/**
 * Ends up to 500 keys of a deleted workspace, whichever nobody else has locked; who revoked
 * one before stays. Returns how many.
 */
export async function endKeysOfWorkspace(
  tx: Transaction,
  workspaceId: string,
  by: Actor,
  at: Date,
): Promise<number> {
  const step = tx
    .select({ id: keys.id })
    .from(keys)
    .where(inWorkspace(workspaceId))
    .limit(STEP)
    .for('update', { skipLocked: true });
  const ended = await tx
    .update(keys)
    .set({
      revokedAt: sql`coalesce(${keys.revokedAt}, ${at.toISOString()}::timestamptz)`,
      revokedBy: sql`coalesce(${keys.revokedBy}, ${JSON.stringify(by)}::jsonb)`,
      deletedAt: at,
      updatedAt: at,
      revision: NEXT_REVISION,
    })
    .where(sql`${keys.id} = any(array(${step}))`);
  return ended.rowCount ?? 0;
}

/** Keys of a workspace that are not deleted, whatever their status. */
export async function countKeys(db: Reader, workspaceId: string): Promise<number> {
  const [row] = await db.select({ keys: count() }).from(keys).where(inWorkspace(workspaceId));
  return row?.keys ?? 0;
}

export async function hasKeys(tx: Transaction, workspaceId: string): Promise<boolean> {
  const found = await tx
    .select({ id: keys.id })
    .from(keys)
    .where(inWorkspace(workspaceId))
    .limit(1);
  return found.length === 1;
}

/** A deleted workspace of which not every key has ended. */
export interface WorkspaceToEmpty {
  id: string;
  deletedAt: Date;
}

export async function findWorkspaceToEmpty(orm: Orm): Promise<WorkspaceToEmpty | null> {
  const { id, deletedAt } = workspaces;
  const left = orm
    .select({ one: sql`1` })
    .from(keys)
    .where(and(eq(keys.workspaceId, id), isNull(keys.deletedAt)));
  const [found] = await orm
    .select({ id, deletedAt })
    .from(workspaces)
    .where(and(isNotNull(deletedAt), exists(left)))
    .limit(1);
  return found?.deletedAt ? { id: found.id, deletedAt: found.deletedAt } : null;
}

/** Keys that no deletion has reached yet, be it that of their workspace. */
export function inWorkspace(scope: Scope) {
  return and(scope === null ? undefined : eq(keys.workspaceId, scope), isNull(keys.deletedAt));
}

/** Keys that exist: the deletion of a workspace takes its keys away before it has ended each. */
export function inExistingWorkspace(scope: Scope) {
  return and(
    inWorkspace(scope),
    sql`exists (select from workspaces w
                 where w.id = ${keys.workspaceId} and w.deleted_at is null)`,
  );
}
