import type { KeyStatus } from '../../src/domain/status.ts';
import type { Random } from './random.ts';

const DAY_MS = 86_400_000;
const AGE_DAYS = 730;
const KEYS_PER_OWNER = 20;

/** A key without its key material. */
export interface SeededRow {
  name: string;
  prefix: string;
  ownerId: string | null;
  scopes: string[];
  metadata: object;
  status: KeyStatus;
  enabled: boolean;
  notBefore: number | null;
  expiresAt: number | null;
  createdAt: number;
  revokedAt: number | null;
  use: SeededUse | null;
}

interface SeededUse {
  total: number;
  lastUsedAt: number | null;
  lastDeniedAt: number | null;
  hours: { hour: number; code: string; count: number }[];
}

/** Scopes and the share of keys that have them. */
const SCOPES: readonly [string, number][] = [
  ['sources:read', 0.6],
  ['sources:write', 0.2],
  ['members:invite', 0.05],
  ['billing:read', 0.02],
  ['admin', 0.001],
];
const WHO = [
  'ci',
  'deploy',
  'nightly',
  'partner',
  'mobile',
  'billing',
  'search',
  'report',
] as const;
const WHAT = ['bot', 'job', 'sync', 'export', 'import', 'gateway', 'worker', 'probe'] as const;

/** The `index`th of all keys, which are created evenly over two years. */
export function makeRow(random: Random, index: number, keys: number, now: number): SeededRow {
  const age = (AGE_DAYS * DAY_MS * (keys - index - random.next())) / keys;
  const createdAt = Math.floor(now - age);
  const owners = Math.max(1, Math.floor(keys / KEYS_PER_OWNER));
  return {
    name: `${random.pick(WHO)} ${random.pick(WHAT)} ${random.below(keys)}`,
    prefix: prefixOf(random.next()),
    ownerId: random.chance(0.1) ? null : `customer_${random.rank(owners)}`,
    scopes: SCOPES.filter(([, share]) => random.chance(share)).map(([scope]) => scope),
    metadata: random.chance(0.5)
      ? { plan: random.pick(['free', 'pro']), seat: random.below(50) }
      : {},
    createdAt,
    ...lifeOf(random, createdAt, now),
    use: random.chance(0.5) ? useOf(random, createdAt, now) : null,
  };
}

function prefixOf(roll: number): string {
  if (roll < 0.01) return 'ak_ci';
  return roll < 0.2 ? 'ak_test' : 'ak_live';
}

type Life = Pick<SeededRow, 'status' | 'enabled' | 'notBefore' | 'expiresAt' | 'revokedAt'>;

/** 1 % each are revoked, disabled and scheduled, 2 % expired; 40 % of the others will expire. */
function lifeOf(random: Random, createdAt: number, now: number): Life {
  const roll = random.next();
  const expiresAt = random.chance(0.4) ? random.between(now + DAY_MS, now + 365 * DAY_MS) : null;
  const life: Life = {
    status: 'active',
    enabled: true,
    notBefore: null,
    expiresAt,
    revokedAt: null,
  };
  if (roll < 0.01) return { ...life, status: 'revoked', revokedAt: random.between(createdAt, now) };
  if (roll < 0.02) return { ...life, status: 'disabled', enabled: false };
  if (roll < 0.04) return { ...life, status: 'expired', expiresAt: random.between(createdAt, now) };
  if (roll > 0.99) {
    const notBefore = random.between(now + DAY_MS, now + 30 * DAY_MS);
    return { ...life, status: 'scheduled', notBefore, expiresAt: null };
  }
  return { ...life, notBefore: random.chance(0.02) ? createdAt + DAY_MS / 24 : null };
}

/**
 * Most used keys were used recently; one in eight was abandoned within days of its creation, one in
 * twenty was always denied.
 */
function useOf(random: Random, createdAt: number, now: number): SeededUse {
  const lastUsedAt = random.chance(0.125)
    ? Math.min(now, createdAt + random.below(5 * DAY_MS))
    : Math.floor(now - (now - createdAt) * random.next() ** 3);
  const denied = random.chance(0.05);
  const hours = Array.from({ length: 1 + random.below(3) }, (_, ago) => ({
    hour: Math.floor(lastUsedAt / 3_600_000 - ago) * 3_600_000,
    code: denied ? 'EXPIRED' : 'VALID',
    count: 1 + random.below(1000),
  }));
  const total = hours.reduce((sum, { count }) => sum + count, 0);
  return denied
    ? { total, lastUsedAt: null, lastDeniedAt: lastUsedAt, hours }
    : { total, lastUsedAt, lastDeniedAt: random.chance(0.1) ? lastUsedAt : null, hours };
}
