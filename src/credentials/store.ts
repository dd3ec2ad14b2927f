import { and, eq, sql } from 'drizzle-orm';
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

/** Keeps a proof that was earned by argon2. */
export async function storeProof(orm: Orm, ref: string, proof: StoredProof): Promise<void> {
  await orm
    .insert(secretProofs)
    .values({ ref, ...proof })
    .onConflictDoUpdate({
      target: secretProofs.ref,
      set: { pepperId: sql`excluded.pepper_id`, proof: sql`excluded.proof` },
    });
}

/** Puts argon2id in the place of an imported digest, once. */
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
