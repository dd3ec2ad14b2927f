import { UNKNOWN_ACTOR } from '../db/stored-types.ts';
import { endWithin, toIso } from '../domain/time.ts';
import { etagOf, type Versioned } from '../http/etag.ts';
import type { ManagementKey } from './schemas.ts';
import type { ManagementRecord, ManagementRow } from './store.ts';

/** A management key as answers show it. */
export function presentManagementKey(record: ManagementRecord, now: Date): ManagementKey {
  const { key, start, lastUsedAt, retiringUntil } = record;
  const { id, workspaceId, name, permissions, createdBy, revokedBy, rotatedBy } = key;
  return {
    id,
    workspaceId,
    name,
    start,
    permissions,
    status: statusOf(key, now),
    expiresAt: toIso(key.expiresAt),
    maxRequestsPerSecond: key.maxRequestsPerSecond,
    lastUsedAt: toIso(lastUsedAt),
    retiringUntil: isRetiring(record, now) ? toIso(endWithin(retiringUntil, key.expiresAt)) : null,
    createdAt: toIso(key.createdAt),
    createdBy: createdBy ?? UNKNOWN_ACTOR,
    rotatedBy,
    revokedAt: toIso(key.revokedAt),
    revokedBy,
  };
}

export function presentVersioned(record: ManagementRecord, now: Date): Versioned<ManagementKey> {
  return { body: presentManagementKey(record, now), etag: etagOf(record.key) };
}

/** Whether the string before the last rotation is still valid. */
export function isRetiring({ retiringUntil }: ManagementRecord, now: Date): boolean {
  return retiringUntil !== null && retiringUntil > now;
}

export function isExpired({ expiresAt }: ManagementRow, now: Date): boolean {
  return expiresAt !== null && expiresAt <= now;
}

function statusOf(key: ManagementRow, now: Date): string {
  if (key.revokedAt) return 'revoked';
  return isExpired(key, now) ? 'expired' : 'active';
}
