import type { Transaction } from '../db/database.ts';
import { KeywardError } from '../errors.ts';
import type { IssuedSecret } from './issuer.ts';
import {
  endRetiringSecret,
  hasRetiringSecret,
  insertSecret,
  retireCurrentSecret,
  type SecretOwner,
} from './store.ts';

export interface RotationOptions {
  /** How long the replaced secret stays valid; 0 ends it at once. */
  graceSeconds: number;
  /** Whether a rotation that is still in its grace is superseded by this one. */
  supersede?: boolean;
}

/**
 * Replaces the current secret, which starts to retire. What ends at once becomes a state, not a
 * time of now: no clock can be behind it. The caller holds the lock on the key's row.
 */
export async function rotateSecret(
  tx: Transaction,
  owner: SecretOwner,
  issued: IssuedSecret,
  { graceSeconds, supersede = false }: RotationOptions,
  at: Date,
): Promise<void> {
  const { keyId } = owner;
  if (!supersede && (await hasRetiringSecret(tx, keyId, at))) {
    throw new KeywardError('ROTATION_UNDER_WAY');
  }
  await endRetiringSecret(tx, keyId);
  const validUntil = graceSeconds > 0 ? new Date(at.getTime() + graceSeconds * 1000) : null;
  await retireCurrentSecret(tx, keyId, validUntil);
  await insertSecret(tx, owner, issued, at);
}
