import fc from 'fast-check';
import type pg from 'pg';

const DAY_MS = 86_400_000;
/** Whole days around now, so that times are often equal and never close to now. */
const START = Math.floor(Date.now() / 1000) * 1000;
const instants = [-3, -2, -1, 1, 2, 3].map((day) => new Date(START + day * DAY_MS).toISOString());
const past = instants.slice(0, 3);

const NAMES = ['deploy', 'Deploy', 'DEPLOY ci', '100%', '1000', 'a_b', 'aXb', 'back\\slash'];
const WIDE_NAMES = ['Émile', 'émile', 'straße', 'ZOO', '名前', '🔑 key'];
const maybe = <T>(...values: T[]) => fc.constantFrom(null, null, ...values);

type ValueOf<A> = A extends fc.Arbitrary<infer Value> ? Value : never;

/** A key with every combination of columns that a list may contain. */
const AnyKey = fc.record({
  workspace_id: fc.constantFrom('listed', 'listed', 'listed', 'apart'),
  name: fc.constantFrom(...NAMES, ...WIDE_NAMES),
  prefix: fc.constantFrom('ak_live', 'ak_test', 'ak_live_eu'),
  owner_id: maybe('one', 'One', 'two'),
  scopes: fc.subarray(['read', 'a:read', 'a:*', '*']),
  enabled: fc.constantFrom(true, true, true, false),
  not_before: maybe(...instants),
  expires_at: maybe(...instants),
  created_at: fc.constantFrom(...past),
  revoked_at: maybe(...past.slice(0, 1)),
  deleted: fc.constantFrom(false, false, false, false, true),
  last_used_at: maybe(...past),
  starts: fc.uniqueArray(fc.constantFrom('aaaaaa', 'aaaaab', 'AAAAAA', 'zzzzzz'), {
    minLength: 1,
    maxLength: 3,
  }),
});
/** No key was used before it was created, or ends before it begins. */
export const ListedKey = AnyKey.map((key) => ({
  ...key,
  not_before:
    key.not_before && key.expires_at && key.not_before >= key.expires_at ? null : key.not_before,
  last_used_at:
    key.last_used_at && key.last_used_at < key.created_at ? key.created_at : key.last_used_at,
}));
export type ListedKey = ValueOf<typeof ListedKey> & { id: string };

/** Inserts keys with their secrets (the first current, the others retired) and their usage. */
export async function insertListedKeys(sql: pg.Client, keys: readonly ListedKey[]) {
  const rows = JSON.stringify(keys);
  await sql.query(
    `insert into keys (id, workspace_id, name, prefix, owner_id, scopes, metadata, enabled,
                       not_before, expires_at, created_at, created_by, updated_at, revoked_at,
                       deleted_at)
     select id, workspace_id, name, prefix, owner_id, scopes, '{}', enabled, not_before,
            expires_at, created_at, '{"type":"root","id":"root","onBehalfOf":null}', created_at,
            revoked_at, case when deleted then now() end
       from jsonb_to_recordset($1) as k (
            id text, workspace_id text, name text, prefix text, owner_id text, scopes text[],
            enabled boolean, not_before timestamptz, expires_at timestamptz,
            created_at timestamptz, revoked_at timestamptz, deleted boolean)`,
    [rows],
  );
  await sql.query(
    `insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at)
     select id || n, 'sec_' || id || n, id, workspace_id, prefix || '_' || start || '…', 'none',
            case when n = 1 then 'current' else 'retired' end, created_at
       from jsonb_to_recordset($1) as k (
            id text, workspace_id text, prefix text, created_at timestamptz, starts jsonb),
            jsonb_array_elements_text(starts) with ordinality as s (start, n)`,
    [rows],
  );
  await sql.query(
    `update key_usage set total = 1, last_used_at = k.last_used_at
       from jsonb_to_recordset($1) as k (id text, last_used_at timestamptz)
      where key_id = k.id and k.last_used_at is not null`,
    [rows],
  );
}

const time = fc.constantFrom(...instants);
const Filters = {
  status: fc.subarray(['active', 'scheduled', 'disabled', 'expired', 'revoked'], { minLength: 1 }),
  search: fc.constantFrom('deploy', 'DEPLOY', '%', '_', 'a_b', '\\', 'ÉMI', 'SS', '名', 'zo'),
  start: fc.constantFrom('ak_live_aaaaaa…', 'ak_live_aaaaaa', 'ak_test_AAAAAA', 'ak_live_aaa'),
  ownerId: fc.constantFrom('one', 'two', 'three'),
  scope: fc.constantFrom('read', 'a:*', 'a:write'),
  prefix: fc.constantFrom('ak_live', 'ak_test', 'ak'),
  createdAfter: time,
  createdBefore: time,
  expiresAfter: time,
  expiresBefore: time,
  lastUsedAfter: time,
  lastUsedBefore: time,
  neverUsed: fc.constant(true),
};
const Sort = fc.constantFrom('-createdAt' as const, 'name' as const, 'expiresAt' as const);

/** Parameters of a list, with few filters at once, so that most lists are not empty. */
export const ListQuery = fc
  .tuple(fc.record(Filters), fc.subarray(Object.keys(Filters), { maxLength: 3 }), fc.option(Sort))
  .map(([all, names, sort]): ListQuery => {
    const chosen = Object.entries(all).filter(([name]) => names.includes(name));
    return { ...Object.fromEntries(chosen), ...(sort && { sort }) };
  });

type Filters = { [Name in keyof typeof Filters]: ValueOf<(typeof Filters)[Name]> };
export type ListQuery = Partial<Filters> & { sort?: ValueOf<typeof Sort> };

/** The keys that the list must contain. */
export function expectedList(keys: readonly ListedKey[], query: ListQuery): ListedKey[] {
  return keys.filter((key) => key.workspace_id === 'listed' && !key.deleted && fits(key, query));
}

export function sortValue(key: ListedKey, sort: ListQuery['sort']): number | string {
  if (sort === 'name') return key.name.toLowerCase();
  if (sort === 'expiresAt') return key.expires_at ? Date.parse(key.expires_at) : Infinity;
  return -Date.parse(key.created_at);
}

function fits(key: ListedKey, query: ListQuery): boolean {
  const { status, search, start, ownerId, scope, prefix, neverUsed } = query;
  return (
    (status?.includes(statusOf(key)) ?? true) &&
    (search === undefined || key.name.toLowerCase().includes(search.toLowerCase())) &&
    (start === undefined || startsOf(key).includes(start.replace('…', ''))) &&
    (ownerId === undefined || key.owner_id === ownerId) &&
    (scope === undefined || key.scopes.includes(scope)) &&
    (prefix === undefined || key.prefix === prefix) &&
    (neverUsed === undefined || key.last_used_at === null) &&
    isBetween(key.created_at, query.createdAfter, query.createdBefore) &&
    isBetween(key.expires_at, query.expiresAfter, query.expiresBefore) &&
    isBetween(key.last_used_at, query.lastUsedAfter, query.lastUsedBefore)
  );
}

function startsOf({ prefix, starts }: ListedKey): string[] {
  return starts.map((start) => `${prefix}_${start}`);
}

function statusOf({ revoked_at, enabled, not_before, expires_at }: ListedKey): string {
  if (revoked_at) return 'revoked';
  if (!enabled) return 'disabled';
  if (not_before && Date.parse(not_before) > Date.now()) return 'scheduled';
  return expires_at && Date.parse(expires_at) <= Date.now() ? 'expired' : 'active';
}

function isBetween(value: string | null, from: string | undefined, to: string | undefined) {
  if (from === undefined && to === undefined) return true;
  if (value === null) return false;
  return (from === undefined || value >= from) && (to === undefined || value < to);
}
