import { and, eq, gt, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { secretProofs, secrets } from '../db/schema.ts';
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

/** Stores a proof that argon2 has confirmed. */
export async function storeProof(orm: Orm, ref: string, proof: StoredProof): Promise<void> {
  await orm
    .insert(secretProofs)
    .values({ ref, ...proof })
    .onConflictDoUpdate({
      target: secretProofs.ref,
      set: { pepperId: sql`excluded.pepper_id`, proof: sql`excluded.proof` },
    });
}

/** Replaces an imported digest with argon2id, once. */
export async function storeRehash(
  orm: Orm,
  ref: string,
  { hash, proof }: Pick<IssuedSecret, 'hash' | 'proof'>,
): Promise<void> {
  if (proof) await storeProof(orm, ref, proof);
  await orm
    .update(secrets)
    .set({ hash })
    .where(and(eq(secrets.ref, ref), eq(secrets.hash, ref)));
}
