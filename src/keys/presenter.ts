import { toRateLimits } from '../domain/limits.ts';
import { keyStatus } from '../domain/status.ts';
import { pickChanged } from '../unit-of-work/difference.ts';
import { presentCredits, presentLimits } from './limits.ts';
import type { Key } from './schemas/key.ts';
import type { KeyRecord, KeyRow, SecretRow } from './store.ts';

/** How a key is shown. */
export function presentKey(record: KeyRecord, now: number): Key {
  const { key, use, secrets, consumption } = record;
  const live = secrets.filter(({ validUntil }) => !validUntil || validUntil.getTime() > now);
  return {
    ...presentFields(key),
    status: keyStatus(key, now),
    start: live[0]?.start ?? '',
    rateLimits: presentLimits(key, consumption, now),
    credits: presentCredits(key, consumption, now),
    createdBy: key.createdBy,
    revokedBy: key.revokedBy,
    secrets: live.map(presentSecret),
    usage: {
      total: use.total ?? 0,
      lastUsedAt: iso(use.lastUsedAt),
      lastDeniedAt: iso(use.lastDeniedAt),
    },
  };
}

/** What an audit entry says of a change. */
export function keyDifference(previous: KeyRow | null, next: KeyRow) {
  return pickChanged(previous && auditFields(previous), auditFields(next));
}

/** Balances and windows are not part of it: verifications change those. */
function auditFields(key: KeyRow) {
  const { refillInterval: interval, refillAmount: amount, refillDay: dayOfMonth } = key;
  const limits = toRateLimits(key.limitNames, key.limitUnits, key.limitWindows);
  return {
    ...presentFields(key),
    rateLimits: limits.map((limit) => ({ ...limit })),
    creditsLimited: key.creditsLimited,
    refill: interval && { interval, amount, dayOfMonth },
  };
}

function presentFields(key: KeyRow) {
  return {
    id: key.id,
    workspaceId: key.workspaceId,
    name: key.name,
    description: key.description,
    prefix: key.prefix,
    ownerId: key.ownerId,
    enabled: key.enabled,
    scopes: key.scopes,
    resources: key.resources,
    allowedIps: key.allowedIps,
    notBefore: iso(key.notBefore),
    expiresAt: iso(key.expiresAt),
    metadata: key.metadata,
    createdAt: key.createdAt.toISOString(),
    updatedAt: key.updatedAt.toISOString(),
    revokedAt: iso(key.revokedAt),
    revokeReason: key.revokeReason,
    revokeNote: key.revokeNote,
  };
}

function presentSecret(secret: SecretRow) {
  return {
    id: secret.id,
    start: secret.start,
    status: secret.status,
    createdAt: secret.createdAt.toISOString(),
    lastUsedAt: iso(secret.lastUsedAt),
    validUntil: iso(secret.validUntil),
  };
}

function iso(date: Date | null): string | null {
  return date?.toISOString() ?? null;
}
