import { and, eq, gt } from 'drizzle-orm';
import type { Transaction } from '../db/database.ts';
import { secrets } from '../db/schema.ts';
import { KeywardError } from '../errors.ts';
import type { IssuedSecret } from './issuer.ts';
import { insertSecret, type SecretOwner } from './store.ts';

export interface RotationOptions {
  /** How long the replaced secret stays valid; 0 ends it at once. */
  graceSeconds: number;
  /** Whether a rotation that is under way gives way to this one. */
  supersede?: boolean;
}

/**
 * Puts a new secret in the place of the current one, which retires. What ends at once becomes a
 * state, not a time of now: no clock can be behind it. The caller holds the key's row lock.
 */
export async function rotateSecret(
  tx: Transaction,
  owner: SecretOwner,
  issued: IssuedSecret,
  { graceSeconds, supersede = false }: RotationOptions,
  at: Date,
): Promise<void> {
  if (!supersede && (await isRotating(tx, owner.keyId, at))) {
    throw new KeywardError('ROTATION_UNDER_WAY');
  }
  await endGrace(tx, owner.keyId);
  const validUntil = new Date(at.getTime() + graceSeconds * 1000);
  await tx
    .update(secrets)
    .set(graceSeconds > 0 ? { status: 'retiring', validUntil } : { status: 'retired' })
    .where(and(eq(secrets.keyId, owner.keyId), eq(secrets.status, 'current')));
  await insertSecret(tx, owner, issued, at);
}

/** Ends the retiring secret, if there is one. Returns what had begun to retire. */
export async function endGrace(tx: Transaction, keyId: string): Promise<string[]> {
  const ended = await tx
    .update(secrets)
    .set({ status: 'retired' })
    .where(and(eq(secrets.keyId, keyId), eq(secrets.status, 'retiring')))
    .returning({ id: secrets.id });
  return ended.map(({ id }) => id);
}

async function isRotating(tx: Transaction, keyId: string, at: Date): Promise<boolean> {
  const retiring = await tx
    .select({ id: secrets.id })
    .from(secrets)
    .where(
      and(eq(secrets.keyId, keyId), eq(secrets.status, 'retiring'), gt(secrets.validUntil, at)),
    );
  return retiring.length > 0;
}
