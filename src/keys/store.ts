import { and, desc, eq, getTableColumns, inArray, isNull, ne, type SQL, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { keyConsumption, keys, keyUsage, secrets, secretUsage } from '../db/schema.ts';

export type KeyRow = typeof keys.$inferSelect;
export type NewKeyRow = typeof keys.$inferInsert;
export type KeyChanges = Partial<KeyRow>;

export interface SecretRow {
  keyId: string;
  id: string;
  start: string;
  status: 'current' | 'retiring' | 'retired';
  createdAt: Date;
  validUntil: Date | null;
  lastUsedAt: Date | null;
}

export interface KeyUse {
  total: number | null;
  lastUsedAt: Date | null;
  lastDeniedAt: Date | null;
}

/** A key with what hangs on it. */
export interface KeyRecord {
  key: KeyRow;
  use: KeyUse;
  consumption: typeof keyConsumption.$inferSelect | null;
  secrets: SecretRow[];
}

type Reader = Orm | Transaction;

export async function findKey(db: Reader, workspaceId: string, id: string) {
  const [record] = await withSecrets(
    db,
    await selectKeys(db).where(and(eq(keys.id, id), inWorkspace(workspaceId))),
  );
  return record ?? null;
}

/** The key's row, locked until the transaction ends. */
export async function lockKey(tx: Transaction, workspaceId: string, id: string) {
  const [row] = await tx
    .select()
    .from(keys)
    .where(and(eq(keys.id, id), inWorkspace(workspaceId)))
    .for('update');
  return row ?? null;
}

export async function insertKey(tx: Transaction, row: NewKeyRow): Promise<KeyRow> {
  const [inserted] = await tx.insert(keys).values(row).returning();
  if (!inserted) throw new Error('an insert returns its row');
  return inserted;
}

/** Writes the changed fields of a locked key and counts the change. */
export async function updateKey(tx: Transaction, id: string, changes: KeyChanges): Promise<KeyRow> {
  const [updated] = await tx
    .update(keys)
    .set({ ...changes, revision: sql`${keys.revision} + 1` })
    .where(eq(keys.id, id))
    .returning();
  if (!updated) throw new Error('a locked row can be updated');
  return updated;
}

/** Locks keys by id, in id order, as all who lock several do. */
export function lockKeys(
  tx: Transaction,
  workspaceId: string,
  which: { ids: readonly string[] } | { ownerId: string },
  limit: number,
): Promise<KeyRow[]> {
  const chosen =
    'ids' in which ? inArray(keys.id, [...which.ids]) : eq(keys.ownerId, which.ownerId);
  return tx
    .select()
    .from(keys)
    .where(and(inWorkspace(workspaceId), chosen))
    .orderBy(keys.id)
    .limit(limit)
    .for('update');
}

/** Writes the same changes to several locked keys. */
export async function updateKeys(tx: Transaction, ids: readonly string[], changes: KeyChanges) {
  if (ids.length === 0) return [];
  return tx
    .update(keys)
    .set({ ...changes, revision: sql`${keys.revision} + 1` })
    .where(inArray(keys.id, [...ids]))
    .returning();
}

export function inWorkspace(workspaceId: string) {
  return and(eq(keys.workspaceId, workspaceId), isNull(keys.deletedAt));
}

/** `extra` is selected beside each key: what a list is sorted by. */
export function selectKeys(db: Reader, extra: SQL<string | null> = sql<null>`null`) {
  return db
    .select({
      key: getTableColumns(keys),
      extra,
      use: {
        total: keyUsage.total,
        lastUsedAt: keyUsage.lastUsedAt,
        lastDeniedAt: keyUsage.lastDeniedAt,
      },
      consumption: getTableColumns(keyConsumption),
    })
    .from(keys)
    .leftJoin(keyUsage, eq(keyUsage.keyId, keys.id))
    .leftJoin(keyConsumption, eq(keyConsumption.keyId, keys.id))
    .$dynamic();
}

export async function withSecrets(
  db: Reader,
  rows: (Pick<KeyRecord, 'key' | 'consumption'> & { use: KeyUse | null })[],
): Promise<KeyRecord[]> {
  const byKey = Map.groupBy(
    await secretsOf(
      db,
      rows.map(({ key }) => key.id),
    ),
    (s) => s.keyId,
  );
  const unused: KeyUse = { total: null, lastUsedAt: null, lastDeniedAt: null };
  return rows.map(({ key, use, consumption }) => ({
    key,
    consumption,
    use: use ?? unused,
    secrets: byKey.get(key.id) ?? [],
  }));
}

/** The current secret of each key first. */
async function secretsOf(db: Reader, keyIds: string[]): Promise<SecretRow[]> {
  if (keyIds.length === 0) return [];
  return db
    .select({
      keyId: secrets.keyId,
      id: secrets.id,
      start: secrets.start,
      status: secrets.status,
      createdAt: secrets.createdAt,
      validUntil: secrets.validUntil,
      lastUsedAt: secretUsage.lastUsedAt,
    })
    .from(secrets)
    .leftJoin(secretUsage, eq(secretUsage.secretRef, secrets.ref))
    .where(and(inArray(secrets.keyId, keyIds), ne(secrets.status, 'retired')))
    .orderBy(secrets.status, desc(secrets.createdAt));
}
