import { hash } from 'node:crypto';
import { and, eq, gt, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { insertRows } from '../db/insert-rows.ts';
import { withLockTimeout } from '../db/lock-timeout.ts';
import { importedAlgorithms, secretProofs, secrets } from '../db/schema.ts';
import type { ImportAlgorithm } from '../domain/imported-key.ts';
import { newId } from '../domain/key-string.ts';
import { partsOf } from '../lib/turns.ts';
import type { IssuedSecret, StoredProof } from './issuer.ts';
import type { StoredSecret } from './secret-verifier.ts';

/** Composing a statement of them takes a few milliseconds. */
const STATEMENT_ROWS = 250;

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
  if (proof) {
    await tx.insert(secretProofs).values({ ref, ...proof, hashDigest: digestOfHash(hash) });
  }
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

/** Sets when a retiring secret ends. */
export async function setGraceEnd(tx: Transaction, ref: string, validUntil: Date): Promise<void> {
  await tx
    .update(secrets)
    .set({ validUntil })
    .where(and(eq(secrets.ref, ref), eq(secrets.status, 'retiring')));
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

/** A secret of another system: its ref and its hash have the digest of the whole key string. */
export interface ImportedSecret {
  ref: string;
  hash: string;
  keyId: string;
  workspaceId: string;
  start: string;
}

/** The newest secret of an imported digest in a workspace, which holds the digest. */
export type DigestHolder = {
  ref: string;
  /** Its key is deleted, so the digest can be imported again. */
  isFree: boolean;
};

/** The holders of imported digests by what they are looked up by. */
export async function findHolders(
  tx: Transaction,
  lookups: readonly string[],
): Promise<Map<string, DigestHolder>> {
  if (lookups.length === 0) return new Map();
  const digests = lookups.map((lookup) => lookup.split('@')[0]);
  const { rows } = await tx.execute<DigestHolder & { lookup: string }>(sql`
    select distinct on (lookup) split_part(s.ref, '#', 1) as lookup, s.ref,
           k.deleted_at is not null as "isFree"
      from secrets s left join keys k on k.id = s.key_id
     where split_part(s.ref, '@', 1) = any(${sql.param(digests)})
       and position('@' in s.ref) > 0
       and split_part(s.ref, '#', 1) = any(${sql.param(lookups)})
     order by lookup, char_length(s.ref) desc, s.ref desc`);
  return new Map(rows.map(({ lookup, ref, isFree }) => [lookup, { ref, isFree }]));
}

/**
 * Stores digests as current secrets and returns the keys whose digests were not taken meanwhile. In the
 * order of the refs: two imports of the same keys wait for each other, never in a circle.
 */
export async function insertImportedSecrets(
  tx: Transaction,
  imported: readonly ImportedSecret[],
  createdAt: Date,
): Promise<Set<string>> {
  if (imported.length === 0) return new Set();
  const rows = imported
    .toSorted((a, b) => (a.ref < b.ref ? -1 : 1))
    .map((secret) => ({
      ...secret,
      id: newId('sec'),
      status: 'current' as const,
      createdAt,
    }));
  const keyIds = new Set<string>();
  for (const part of partsOf(rows, { items: STATEMENT_ROWS })) {
    const { rows: inserted } = await tx.execute<{ keyId: string }>(
      sql`${insertRows(secrets, part)} on conflict do nothing returning key_id as "keyId"`,
    );
    for (const { keyId } of inserted) keyIds.add(keyId);
  }
  return keyIds;
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

/** Stores a proof that argon2 has confirmed for a hash. */
export function storeProof(
  orm: Orm,
  secret: Pick<StoredSecret, 'ref' | 'hash'>,
  proof: StoredProof,
): Promise<void> {
  return withLockTimeout(orm, (tx) => writeProof(tx, secret, proof));
}

async function writeProof(
  tx: Transaction,
  { ref, hash }: Pick<StoredSecret, 'ref' | 'hash'>,
  proof: StoredProof,
): Promise<void> {
  await tx
    .insert(secretProofs)
    .values({ ref, ...proof, hashDigest: digestOfHash(hash) })
    .onConflictDoUpdate({
      target: secretProofs.ref,
      set: {
        pepperId: sql`excluded.pepper_id`,
        proof: sql`excluded.proof`,
        hashDigest: sql`excluded.hash_digest`,
        tag: sql`excluded.tag`,
      },
    });
}

/** Replaces an imported digest with argon2id, once. */
export function storeRehash(
  orm: Orm,
  { ref, hash: digest }: Pick<StoredSecret, 'ref' | 'hash'>,
  { hash, proof }: Pick<IssuedSecret, 'hash' | 'proof'>,
): Promise<void> {
  return withLockTimeout(orm, async (tx) => {
    await tx
      .update(secrets)
      .set({ hash })
      .where(and(eq(secrets.ref, ref), eq(secrets.hash, digest)));
    if (proof) await writeProof(tx, { ref, hash }, proof);
  });
}

/** As the statement that loads credentials compares it. */
function digestOfHash(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
