import type { Actor } from '../domain/caller.ts';
import { turnKeeper } from '../lib/turns.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditKeyChange } from './audit.ts';
import { type KeyChanges, type KeyRow, lockKey, updateKeys } from './store.ts';

export interface Revocation {
  by: Actor;
  reason?: string | undefined;
  note?: string | undefined;
}

/** Revokes locked keys for good, each with an audit entry. Keys that are revoked stay as they are. */
export async function revokeKeys(
  write: WriteContext,
  keys: readonly KeyRow[],
  revocation: Revocation,
): Promise<void> {
  const active = keys.filter(({ revokedAt }) => !revokedAt);
  await endKeys(write, 'revoked', active, revocationColumns(write, revocation));
}

/** Revokes a locked key and removes it from every list. Its history stays. */
export async function deleteKey(write: WriteContext, key: KeyRow, by: Actor): Promise<KeyRow> {
  const revoked = key.revokedAt ? {} : revocationColumns(write, { by });
  const [deleted] = await endKeys(write, 'deleted', [key], { ...revoked, deletedAt: write.at });
  return deleted ?? key;
}

/** Why a key is revoked that its holder revoked. */
const REVOKED_BY_HOLDER = 'given_up';

/** Revokes a key on behalf of its holder. False if it was revoked or deleted meanwhile. */
export async function revokeOwnKey(
  write: WriteContext,
  { workspaceId, id }: Pick<KeyRow, 'workspaceId' | 'id'>,
  by: Actor,
): Promise<boolean> {
  const key = await lockKey(write.tx, workspaceId, id);
  if (!key || key.revokedAt) return false;
  await revokeKeys(write, [key], { by, reason: REVOKED_BY_HOLDER });
  return true;
}

function revocationColumns({ at }: WriteContext, { by, reason, note }: Revocation): KeyChanges {
  return {
    revokedAt: at,
    revokedBy: by,
    revokeReason: reason ?? null,
    revokeNote: note ?? null,
  };
}

async function endKeys(
  write: WriteContext,
  action: 'revoked' | 'deleted',
  keys: readonly KeyRow[],
  changes: KeyChanges,
): Promise<KeyRow[]> {
  const before = new Map(keys.map((key) => [key.id, key]));
  const ended = await updateKeys(write.tx, [...before.keys()], { ...changes, updatedAt: write.at });
  const turn = turnKeeper();
  for (const key of ended) {
    await turn();
    auditKeyChange(write, action, before.get(key.id) ?? null, key);
  }
  return ended;
}
