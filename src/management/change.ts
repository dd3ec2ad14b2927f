import type { CallContext } from '../call-context.ts';
import { UNKNOWN_ACTOR } from '../db/stored-types.ts';
import { endWithin, toIso } from '../domain/time.ts';
import { invalidField, KeywardError } from '../errors.ts';
import { lifetime } from '../http/lifetime.ts';
import { differs, pickChanged } from '../unit-of-work/difference.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditManagementKey } from './audit.ts';
import {
  isFaster,
  lockAuthority,
  requireExpiryWithin,
  requireGrantable,
  requireRateWithin,
} from './grants.ts';
import type { PatchManagementKey } from './schemas.ts';
import { findManagementKey, lockMade, type ManagementRow, updateManagementKey } from './store.ts';

/**
 * Renames a locked management key, changes its expiry or its maximum of calls, or takes permissions
 * from it. What it loses, the keys that it created lose too.
 */
export async function patchManagementKey(
  write: WriteContext,
  call: CallContext,
  key: ManagementRow,
  patch: PatchManagementKey,
): Promise<void> {
  if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
  const changes = changesOf(key, patch, write.at);
  if (isRaised(changes, key) || differs(key, { expiresAt: changes.expiresAt })) {
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

/** Whether the caller's own row decides, which is then locked with the key, in the order of all. */
export function mayExtend(patch: PatchManagementKey): boolean {
  const { expiresAt, expiresInSeconds, maxRequestsPerSecond } = patch;
  return [expiresAt, expiresInSeconds, maxRequestsPerSecond].some((it) => it !== undefined);
}

/** To extend a key is to grant what it may do, within what the caller and the makers have. */
async function requireExtendable(
  { tx, at }: WriteContext,
  { caller }: CallContext,
  key: ManagementRow,
  changes: Changeable,
  patch: PatchManagementKey,
): Promise<void> {
  const authority = await lockAuthority(tx, caller, at);
  requireGrantable(authority, changes.permissions);
  const requireWithin = (bound: Bounds) => {
    const { expiresAt, maxRequestsPerSecond } = changes;
    if (isLater(expiresAt, key.expiresAt)) requireExpiryWithin(bound.expiresAt, expiresAt, patch);
    if (isRaised(changes, key)) {
      requireRateWithin(bound.maxRequestsPerSecond, maxRequestsPerSecond);
    }
  };
  if (!isLater(changes.expiresAt, key.expiresAt) && !isRaised(changes, key)) return;
  requireWithin(authority);
  // Read once the key is locked: what shortens a maker meanwhile waits for the key.
  for (const id of [(key.createdBy ?? UNKNOWN_ACTOR).id, ...key.rotatedBy]) {
    const maker = await findManagementKey(tx, id, null);
    if (maker) requireWithin(maker.key);
  }
}

type Changeable = Pick<
  ManagementRow,
  'name' | 'permissions' | 'expiresAt' | 'maxRequestsPerSecond'
>;
type Bounds = Pick<ManagementRow, 'expiresAt' | 'maxRequestsPerSecond'>;

async function update(write: WriteContext, key: ManagementRow, changes: Changeable): Promise<void> {
  await updateManagementKey(write.tx, key.id, { ...changes, updatedAt: write.at });
  const difference = pickChanged(auditable(key), auditable(changes));
  auditManagementKey(write, 'updated', key, difference);
}

function changesOf(key: ManagementRow, patch: PatchManagementKey, at: Date): Changeable {
  const { name = key.name, permissions = key.permissions } = patch;
  const { maxRequestsPerSecond = key.maxRequestsPerSecond } = patch;
  refuseMore(key, permissions);
  const { expiresAt } = lifetime({ notBefore: null, expiresAt: key.expiresAt }, patch, at);
  const kept = key.permissions.filter((it) => permissions.includes(it));
  return { name, permissions: kept, expiresAt, maxRequestsPerSecond };
}

/** A created key with no more than its changed maker has. */
function boundBy(created: ManagementRow, maker: Changeable): Changeable {
  const { name, permissions, expiresAt } = created;
  return {
    name,
    permissions: permissions.filter((it) => maker.permissions.includes(it)),
    expiresAt: endWithin(expiresAt ?? maker.expiresAt, maker.expiresAt),
    maxRequestsPerSecond: isRaised(created, maker)
      ? maker.maxRequestsPerSecond
      : created.maxRequestsPerSecond,
  };
}

function isWeaker(changes: Changeable, key: ManagementRow): boolean {
  const isNarrower = changes.permissions.length < key.permissions.length;
  return isNarrower || isLater(key.expiresAt, changes.expiresAt) || isRaised(key, changes);
}

function isRaised(one: Bounds, other: Bounds): boolean {
  return isFaster(one.maxRequestsPerSecond, other.maxRequestsPerSecond);
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

function auditable({ name, permissions, expiresAt, maxRequestsPerSecond }: Changeable) {
  return { name, permissions, expiresAt: toIso(expiresAt), maxRequestsPerSecond };
}
