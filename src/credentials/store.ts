import { and, eq, gt, inArray, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { withLockTimeout } from '../db/lock-timeout.ts';
import { importedAlgorithms, secretProofs, secrets } from '../db/schema.ts';
import type { ImportAlgorithm } from '../domain/imported-key.ts';
import { newId } from '../domain/key-string.ts';
import type { IssuedSecret, StoredProof } from './issuer.ts';

export interface SecretOwner {
  keyId: string;
  workspaceId: string | null;
}

/** Stores a new current secret of a key. */
export async function insertSecret(
  tx: Transaction,
  owner: SecretOwner,
  issued: IssuedSecret,
  createdAt: Date,
): Promise<void> {
  const { ref, start, hash, proof } = issued;
  await tx
    .insert(secrets)
    .values({ ref, id: newId('sec'), ...owner, start, hash, status: 'current', createdAt });
  if (proof) await tx.insert(secretProofs).values({ ref, ...proof });
}

/** The current secret becomes the retiring one until `validUntil`, or (null) ends at once. */
export async function retireCurrentSecret(
  tx: Transaction,
  keyId: string,
  validUntil: Date | null,
): Promise<void> {
  await tx
    .update(secrets)
    .set(validUntil ? { status: 'retiring', validUntil } : { status: 'retired' })
    .where(and(eq(secrets.keyId, keyId), eq(secrets.status, 'current')));
}

/** Ends the retiring secret, if there is one. Returns the ids of what ended. */
export async function endRetiringSecret(tx: Transaction, keyId: string): Promise<string[]> {
  const ended = await tx
    .update(secrets)
    .set({ status: 'retired' })
    .where(and(eq(secrets.keyId, keyId), eq(secrets.status, 'retiring')))
    .returning({ id: secrets.id });
  return ended.map(({ id }) => id);
}

/** Whether a retiring secret of the key is still valid. */
export async function hasRetiringSecret(
  tx: Transaction,
  keyId: string,
  at: Date,
): Promise<boolean> {
  const retiring = await tx
    .select({ id: secrets.id })
    .from(secrets)
    .where(
      and(eq(secrets.keyId, keyId), eq(secrets.status, 'retiring'), gt(secrets.validUntil, at)),
    );
  return retiring.length > 0;
}

/** A secret of another system: its ref is the digest of the whole key string. */
export interface ImportedSecret {
  ref: string;
  keyId: string;
  workspaceId: string;
  start: string;
}

/** Which of these refs have a secret already. */
export async function findKnownRefs(
  tx: Transaction,
  refs: readonly string[],
): Promise<Set<string>> {
  if (refs.length === 0) return new Set();
  const found = await tx
    .select({ ref: secrets.ref })
    .from(secrets)
    .where(inArray(secrets.ref, [...refs]));
  return new Set(found.map(({ ref }) => ref));
}

/**
 * Stores digests as current secrets and returns the refs that were new. In the order of the refs:
 * two imports of the same keys wait for each other, never in a circle.
 */
export async function insertImportedSecrets(
  tx: Transaction,
  imported: readonly ImportedSecret[],
  createdAt: Date,
): Promise<Set<string>> {
  if (imported.length === 0) return new Set();
  const rows = imported
    .toSorted((a, b) => (a.ref < b.ref ? -1 : 1))
    .map((secret) => ({ ...secret, id: newId('sec'), hash: secret.ref, createdAt }));
  const inserted = await tx
    .insert(secrets)
    .values(rows.map((row) => ({ ...row, status: 'current' as const })))
    .onConflictDoNothing()
    .returning({ ref: secrets.ref });
  return new Set(inserted.map(({ ref }) => ref));
}

/** From now on, on every instance, strings that are not native keys are looked up by these. */
export async function addImportedAlgorithms(
  tx: Transaction,
  algorithms: ReadonlySet<ImportAlgorithm>,
): Promise<void> {
  const rows = await tx.select().from(importedAlgorithms);
  const known = new Set(rows.map(({ algorithm }) => algorithm));
  const added = [...algorithms].filter((algorithm) => !known.has(algorithm)).sort();
  if (added.length === 0) return;
  await tx
    .insert(importedAlgorithms)
    .values(added.map((algorithm) => ({ algorithm })))
    .onConflictDoNothing();
}

/** Stores a proof that argon2 has confirmed. */
export function storeProof(orm: Orm, ref: string, proof: StoredProof): Promise<void> {
  return withLockTimeout(orm, (tx) => writeProof(tx, ref, proof));
}

async function writeProof(tx: Transaction, ref: string, proof: StoredProof): Promise<void> {
  await tx
    .insert(secretProofs)
    .values({ ref, ...proof })
    .onConflictDoUpdate({
      target: secretProofs.ref,
      set: { pepperId: sql`excluded.pepper_id`, proof: sql`excluded.proof` },
    });
}

/** Replaces an imported digest with argon2id, once. */
export function storeRehash(
  orm: Orm,
  ref: string,
  { hash, proof }: Pick<IssuedSecret, 'hash' | 'proof'>,
): Promise<void> {
  return withLockTimeout(orm, async (tx) => {
    await tx
      .update(secrets)
      .set({ hash })
      .where(and(eq(secrets.ref, ref), eq(secrets.hash, ref)));
    if (proof) await writeProof(tx, ref, proof);
  });
}
