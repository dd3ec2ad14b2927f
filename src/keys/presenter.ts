import { UNKNOWN_ACTOR } from '../db/stored-types.ts';
import { parseLastUsedFrom } from '../domain/client-context.ts';
import { toRateLimits } from '../domain/limits.ts';
import { toRefill } from '../domain/refill.ts';
import { keyStatus } from '../domain/status.ts';
import { endWithin, toIso } from '../domain/time.ts';
import { etagOf, type Versioned } from '../http/etag.ts';
import { pickChanged } from '../unit-of-work/difference.ts';
import type { KeyRecord, KeyUse, SecretRow } from './key-records.ts';
import { presentCredits, presentLimits } from './quota-status.ts';
import { pickPlain } from './schemas/fields.ts';
import type { Key } from './schemas/key.ts';
import type { KeyRow } from './store.ts';

/** A key as answers show it. */
export function presentKey({ key, use, secrets, consumption }: KeyRecord, now: number): Key {
  const valid = secrets.filter(({ validUntil }) => !validUntil || validUntil.getTime() > now);
  return {
    ...presentFields(key),
    status: keyStatus(key, now),
    start: valid[0]?.start ?? '',
    rateLimits: presentLimits(key, consumption, now),
    credits: presentCredits(key, consumption, now),
    // Drizzle leaves the null of JSON as it is, which no column of its own type may be.
    createdBy: key.createdBy ?? UNKNOWN_ACTOR,
    revokedBy: key.revokedBy,
    secrets: valid.map((secret) => presentSecret(secret, key.expiresAt)),
    usage: presentUse(use),
  };
}

export function presentVersioned(record: KeyRecord, now: number): Versioned<Key> {
  return { body: presentKey(record, now), etag: etagOf(record.key) };
}

/** What an audit entry says of a change. */
export function keyDifference(previous: KeyRow | null, next: KeyRow) {
  return pickChanged(previous && auditFields(previous), auditFields(next));
}

/** Without balances and windows, which verifications change. */
function auditFields(key: KeyRow) {
  const limits = toRateLimits(key.limitNames, key.limitUnits, key.limitWindows);
  const refill = toRefill(key);
  return {
    ...presentFields(key),
    rateLimits: limits.map((limit) => ({ ...limit })),
    creditsLimited: key.creditsLimited,
    refill: refill && { ...refill },
  };
}

function presentFields(key: KeyRow) {
  return {
    id: key.id,
    workspaceId: key.workspaceId,
    ...pickPlain(key),
    prefix: key.prefix,
    notBefore: toIso(key.notBefore),
    expiresAt: toIso(key.expiresAt),
    metadata: key.metadata ?? {},
    createdAt: toIso(key.createdAt),
    updatedAt: toIso(key.updatedAt),
    revokedAt: toIso(key.revokedAt),
    revokeReason: key.revokeReason,
    revokeNote: key.revokeNote,
  };
}

function presentSecret({ keyId: _, ...secret }: SecretRow, expiresAt: Date | null) {
  return {
    ...secret,
    createdAt: toIso(secret.createdAt),
    lastUsedAt: toIso(secret.lastUsedAt),
    lastUsedFrom: parseLastUsedFrom(secret.lastUsedFrom),
    validUntil: toIso(endWithin(secret.validUntil, expiresAt)),
  };
}

function presentUse({ total, lastUsedAt, lastDeniedAt, lastUsedFrom }: KeyUse) {
  return {
    total: total ?? 0,
    lastUsedAt: toIso(lastUsedAt),
    lastDeniedAt: toIso(lastDeniedAt),
    lastUsedFrom: parseLastUsedFrom(lastUsedFrom),
  };
}
