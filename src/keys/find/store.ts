import { and, eq } from 'drizzle-orm';
import type { Orm } from '../../db/database.ts';
import { inCurrentGeneration } from '../../db/generation.ts';
import { keys, secrets, secretUsage, workspaces } from '../../db/schema.ts';
import { type KeyRecord, type SecretRow, selectKeys, withSecrets } from '../key-records.ts';

/** A secret, be it ended, with its key, be it deleted. */
export interface FoundSecret {
  secret: SecretRow;
  record: KeyRecord;
}

/** `currentOnly`: not of a former tenant of the workspace. */
export async function findSecret(
  orm: Orm,
  ref: string,
  currentOnly: boolean,
): Promise<FoundSecret | null> {
  const secret = await readSecret(orm, ref);
  if (!secret) return null;
  const generation = currentOnly ? inCurrentGeneration(keys) : undefined;
  const rows = await selectKeys(orm).where(and(eq(keys.id, secret.keyId), generation));
  const [record] = await withSecrets(orm, rows);
  if (!record) return null;
  const deletedAt = await workspaceDeletedAt(orm, record.key.workspaceId);
  return { secret, record: deletedAt ? { ...record, key: ended(record.key, deletedAt) } : record };
}

async function readSecret(orm: Orm, ref: string): Promise<SecretRow | null> {
  const { keyId, id, start, status, createdAt, validUntil } = secrets;
  const { lastUsedAt, lastUsedFrom } = secretUsage;
  const [secret] = await orm
    .select({ keyId, id, start, status, createdAt, validUntil, lastUsedAt, lastUsedFrom })
    .from(secrets)
    .leftJoin(secretUsage, eq(secretUsage.secretRef, secrets.ref))
    .where(eq(secrets.ref, ref));
  return secret ?? null;
}

async function workspaceDeletedAt(orm: Orm, id: string): Promise<Date | null> {
  const [row] = await orm
    .select({ deletedAt: workspaces.deletedAt })
    .from(workspaces)
    .where(eq(workspaces.id, id));
  return row?.deletedAt ?? null;
}

/** The deletion of its workspace ends a key at once, and reaches its row some time later. */
function ended(key: KeyRecord['key'], at: Date): KeyRecord['key'] {
  return { ...key, revokedAt: key.revokedAt ?? at, deletedAt: key.deletedAt ?? at };
}
