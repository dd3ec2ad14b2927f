import type { Actor } from '../domain/caller.ts';
import { toIso } from '../domain/time.ts';
import type { Reason } from '../http/schemas.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditManagementKey } from './audit.ts';
import { lockManagementKey, type ManagementRow, updateManagementKey } from './store.ts';

/** Revokes a locked management key for good. False if it is revoked already. */
export async function revokeManagementKey(
  write: WriteContext,
  key: ManagementRow,
  by: Actor,
  { reason, note }: Reason = {},
): Promise<boolean> {
  if (key.revokedAt) return false;
  const { tx, at } = write;
  await updateManagementKey(tx, key.id, { revokedAt: at, revokedBy: by, updatedAt: at });
  const difference = {
    before: { revokedAt: null },
    after: { revokedAt: toIso(at), reason: reason ?? null, note: note ?? null },
  };
  auditManagementKey(write, 'revoked', key, difference);
  return true;
}

/** Revokes a management key on behalf of its holder. False if it was revoked meanwhile. */
export async function revokeOwnManagementKey(
  write: WriteContext,
  id: string,
  by: Actor,
): Promise<boolean> {
  const key = await lockManagementKey(write.tx, id, null);
  return key !== null && revokeManagementKey(write, key, by);
}
