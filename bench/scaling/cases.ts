import type { ListKeys } from '../../src/keys/listing/schemas.ts';

export interface Case {
  name: string;
  query: ListKeys;
}

const DAY_MS = 86_400_000;

/** Each filter and each sort, then combinations, then queries that no index serves. */
export function cases(now: number): Case[] {
  const days = (count: number) => new Date(now + count * DAY_MS).toISOString();
  return [...SORTS, ...filters(days), ...combinations(days), ...costly(days)].map((query) => ({
    name: nameOf(query, now),
    query: { sort: '-createdAt', limit: 50, ...query },
  }));
}

type Query = Partial<ListKeys>;
type Days = (count: number) => string;

const SORTS: Query[] = [{ sort: '-createdAt' }, { sort: 'name' }, { sort: 'expiresAt' }];

const filters = (days: Days): Query[] => [
  { status: ['active'] },
  { status: ['scheduled'] },
  { status: ['disabled'] },
  { status: ['expired'] },
  { status: ['revoked'] },
  { start: 'of one key' },
  { ownerId: 'customer_1' },
  { scope: 'sources:read' },
  { scope: 'sources:write' },
  { scope: 'members:invite' },
  { prefix: 'ak_live' },
  { prefix: 'ak_ci' },
  { createdAfter: days(-365) },
  { createdBefore: days(-365) },
  { expiresAfter: days(180) },
  { expiresBefore: days(30) },
  { lastUsedAfter: days(-7) },
  { lastUsedBefore: days(-90) },
  { neverUsed: true },
  { search: 'partner' },
];

const combinations = (days: Days): Query[] => [
  { status: ['active'], ownerId: 'customer_1' },
  { status: ['active'], sort: 'name' },
  { status: ['active', 'scheduled'], prefix: 'ak_live' },
  { scope: 'sources:write', sort: 'name' },
  { prefix: 'ak_test', sort: 'expiresAt' },
  { expiresAfter: days(0), expiresBefore: days(30), sort: 'expiresAt' },
  { neverUsed: true, createdBefore: days(-180) },
];

const costly = (days: Days): Query[] => [
  { status: ['expired', 'revoked'] },
  { status: ['revoked'], sort: 'name' },
  { ownerId: 'customer_1', sort: 'name' },
  { scope: 'billing:read' },
  { scope: 'admin' },
  { lastUsedAfter: days(-1 / 24) },
  { lastUsedBefore: days(-600) },
  { search: 'no such name' },
];

/** The query as a caller writes it, with times relative to now. */
function nameOf(query: Query, now: number): string {
  const shown = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}=${distance(String(one), now)}`),
  );
  return shown.join('&');
}

function distance(value: string, now: number): string {
  if (!/^\d{4}-\d\d-\d\dT/.test(value)) return value;
  const days = (Date.parse(value) - now) / DAY_MS;
  return Math.abs(days) < 1 && days !== 0 ? `${Math.round(days * 24)}h` : `${Math.round(days)}d`;
}
