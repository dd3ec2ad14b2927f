import type { CallContext } from '../call-context.ts';
import { UNKNOWN_ACTOR } from '../db/stored-types.ts';
import { endWithin, toIso } from '../domain/time.ts';
import { invalidField, KeywardError } from '../errors.ts';
import { lifetime } from '../http/lifetime.ts';
import { differs, pickChanged } from '../unit-of-work/difference.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditManagementKey } from './audit.ts';
import { authorityOf, requireExpiryWithin, requireGrantable } from './grants.ts';
import type { PatchManagementKey } from './schemas.ts';
import { findManagementKey, lockMade, type ManagementRow, updateManagementKey } from './store.ts';

/**
 * Renames a locked management key, changes its expiry, or takes permissions from it. What it loses,
 * the keys that it created lose too.
 */
export async function patchManagementKey(
  write: WriteContext,
  call: CallContext,
  key: ManagementRow,
  patch: PatchManagementKey,
): Promise<void> {
  if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
  const changes = changesOf(key, patch, write.at);
  if (differs(key, { expiresAt: changes.expiresAt })) {
    await requireExtendable(write, call, key, changes, patch);
  }
  if (!differs(key, changes)) return;
  await update(write, key, changes);
  if (!isWeaker(changes, key)) return;
  for (const created of await lockMade(write.tx, key.id)) {
    const bound = boundBy(created, changes);
    if (!created.revokedAt && differs(created, bound)) await update(write, created, bound);
  }
}

/** To extend a key is to grant what it may do, for no longer than the caller and the maker are there. */
async function requireExtendable(
  { tx }: WriteContext,
  { caller }: CallContext,
  key: ManagementRow,
  { permissions, expiresAt }: Changeable,
  patch: PatchManagementKey,
): Promise<void> {
  const authority = authorityOf(caller);
  requireGrantable(authority, permissions);
  if (!isLater(expiresAt, key.expiresAt)) return;
  requireExpiryWithin(authority.expiresAt, expiresAt, patch);
  // Read once the key is locked: what shortens a maker meanwhile waits for the key.
  for (const id of [(key.createdBy ?? UNKNOWN_ACTOR).id, ...key.rotatedBy]) {
    const maker = await findManagementKey(tx, id, null);
    requireExpiryWithin(maker?.key.expiresAt ?? null, expiresAt, patch);
  }
}

type Changeable = Pick<ManagementRow, 'name' | 'permissions' | 'expiresAt'>;

async function update(write: WriteContext, key: ManagementRow, changes: Changeable): Promise<void> {
  await updateManagementKey(write.tx, key.id, { ...changes, updatedAt: write.at });
  const difference = pickChanged(auditable(key), auditable(changes));
  auditManagementKey(write, 'updated', key, difference);
}

function changesOf(key: ManagementRow, patch: PatchManagementKey, at: Date): Changeable {
  const { name = key.name, permissions = key.permissions } = patch;
  refuseMore(key, permissions);
  const { expiresAt } = lifetime({ notBefore: null, expiresAt: key.expiresAt }, patch, at);
  return { name, permissions: key.permissions.filter((it) => permissions.includes(it)), expiresAt };
}

/** A created key with no more than its changed maker has. */
function boundBy({ name, permissions, expiresAt }: ManagementRow, maker: Changeable): Changeable {
  return {
    name,
    permissions: permissions.filter((it) => maker.permissions.includes(it)),
    expiresAt: endWithin(expiresAt ?? maker.expiresAt, maker.expiresAt),
  };
}

function isWeaker(changes: Changeable, key: ManagementRow): boolean {
  const isNarrower = changes.permissions.length < key.permissions.length;
  return isNarrower || isLater(key.expiresAt, changes.expiresAt);
}

/** Null: never, which is later than any time. */
export function isLater(one: Date | null, other: Date | null): boolean {
  return other !== null && (one === null || one > other);
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
