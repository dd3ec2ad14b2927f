import type { CallContext } from '../call-context.ts';
import { toIso } from '../domain/time.ts';
import { invalidField, KeywardError } from '../errors.ts';
import { lifetime } from '../http/lifetime.ts';
import { differs, pickChanged } from '../unit-of-work/difference.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditManagementKey } from './audit.ts';
import { requireGrantable } from './grants.ts';
import type { PatchManagementKey } from './schemas.ts';
import { type ManagementRow, updateManagementKey } from './store.ts';

/** Renames a locked management key, changes its expiry, or takes permissions from it. */
export async function patchManagementKey(
  write: WriteContext,
  { caller }: CallContext,
  key: ManagementRow,
  patch: PatchManagementKey,
): Promise<void> {
  if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
  const changes = changesOf(key, patch, write.at);
  // To extend a key is to grant what it may do; to weaken it is not.
  if (differs(key, { expiresAt: changes.expiresAt })) requireGrantable(caller, changes.permissions);
  if (!differs(key, changes)) return;
  await updateManagementKey(write.tx, key.id, { ...changes, updatedAt: write.at });
  const difference = pickChanged(auditable(key), auditable(changes));
  auditManagementKey(write, 'updated', key, difference);
}

type Changeable = Pick<ManagementRow, 'name' | 'permissions' | 'expiresAt'>;

function changesOf(key: ManagementRow, patch: PatchManagementKey, at: Date): Changeable {
  const { name = key.name, permissions = key.permissions } = patch;
  refuseMore(key, permissions);
  const { expiresAt } = lifetime({ notBefore: null, expiresAt: key.expiresAt }, patch, at);
  return { name, permissions: key.permissions.filter((it) => permissions.includes(it)), expiresAt };
}

/** Nobody is surprised by what a key that they handed out may do later. */
function refuseMore(key: ManagementRow, requested: readonly string[]): void {
  const held: readonly string[] = key.permissions;
  const index = requested.findIndex((permission) => !held.includes(permission));
  if (index === -1) return;
  const detail = 'the key does not have this permission; create another key for more';
  throw invalidField(`/body/permissions/${index}`, detail);
}

function auditable({ name, permissions, expiresAt }: Changeable) {
  return { name, permissions, expiresAt: toIso(expiresAt) };
}
