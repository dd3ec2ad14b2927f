import { and, desc, eq, getTableColumns, ne, type SQL, sql } from 'drizzle-orm';
import { anyOf } from '../db/any-of.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { keyConsumption, keys, keyUsage, secrets, secretUsage } from '../db/schema.ts';
import type { ConsumptionRow } from '../quotas/consumption-store.ts';
import { inExistingWorkspace, type KeyRow, type Scope } from './store.ts';

export interface SecretRow {
  keyId: string;
  id: string;
  start: string;
  status: 'current' | 'retiring' | 'retired';
  createdAt: Date;
  validUntil: Date | null;
  lastUsedAt: Date | null;
  lastUsedFrom: string | null;
}

export interface KeyUse {
  total: number | null;
  lastUsedAt: Date | null;
  lastDeniedAt: Date | null;
  lastUsedFrom: string | null;
}

/** A key with its usage, its consumption and its secrets. */
export interface KeyRecord {
  key: KeyRow;
  use: KeyUse;
  consumption: ConsumptionRow | null;
  secrets: SecretRow[];
}

type Reader = Orm | Transaction;

export async function findKey(db: Reader, scope: Scope, id: string): Promise<KeyRecord | null> {
  const rows = await selectKeys(db).where(and(eq(keys.id, id), inExistingWorkspace(scope)));
  const [record] = await withSecrets(db, rows);
  return record ?? null;
}

/** `extra` is selected beside each key: what a list is sorted by. */
export function selectKeys(db: Reader, extra: SQL<string | null> = sql<null>`null`) {
  const { total, lastUsedAt, lastDeniedAt, lastUsedFrom } = keyUsage;
  return db
    .select({
      key: getTableColumns(keys),
      extra,
      use: { total, lastUsedAt, lastDeniedAt, lastUsedFrom },
      consumption: getTableColumns(keyConsumption),
    })
    .from(keys)
    .leftJoin(keyUsage, eq(keyUsage.keyId, keys.id))
    .leftJoin(keyConsumption, eq(keyConsumption.keyId, keys.id))
    .$dynamic();
}

const UNUSED: KeyUse = { total: null, lastUsedAt: null, lastDeniedAt: null, lastUsedFrom: null };

export async function withSecrets(
  db: Reader,
  rows: (Pick<KeyRecord, 'key' | 'consumption'> & { use: KeyUse | null })[],
): Promise<KeyRecord[]> {
  const keyIds = rows.map(({ key }) => key.id);
  const byKey = Map.groupBy(await readSecrets(db, keyIds), ({ keyId }) => keyId);
  return rows.map(({ key, use, consumption }) => {
    return { key, consumption, use: use ?? UNUSED, secrets: byKey.get(key.id) ?? [] };
  });
}

/** The current secret of each key first. */
async function readSecrets(db: Reader, keyIds: string[]): Promise<SecretRow[]> {
  if (keyIds.length === 0) return [];
  const { keyId, id, start, status, createdAt, validUntil } = secrets;
  const { lastUsedAt, lastUsedFrom } = secretUsage;
  return db
    .select({ keyId, id, start, status, createdAt, validUntil, lastUsedAt, lastUsedFrom })
    .from(secrets)
    .leftJoin(secretUsage, eq(secretUsage.secretRef, secrets.ref))
    .where(and(anyOf(secrets.keyId, keyIds), ne(secrets.status, 'retired')))
    .orderBy(secrets.status, desc(secrets.createdAt));
}
