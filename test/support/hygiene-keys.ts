import fc from 'fast-check';
import type pg from 'pg';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Never close to a bound that is a whole number of days from now. */
const START = Date.now();
const ago = (hours: number) => new Date(START - hours * HOUR_MS).toISOString();
const days = (...values: number[]) => values.map((value) => ago(value * 24));

const often = <T>(usual: T, ...rare: T[]) => fc.constantFrom(usual, usual, usual, ...rare);

/** A key with what any section looks at, close to the bounds on both sides. */
const HygieneKey = fc.record({
  workspace_id: fc.constantFrom('listed', 'listed', 'apart', 'gone'),
  owner_id: fc.constantFrom(null, ...Array.from({ length: 150 }, (_, i) => `owner ${i}`)),
  scopes: fc
    .tuple(fc.constantFrom(0, 2, 5, 6, 7, 10, 11, 30), often(false, true))
    .map(([count, all]) => [
      ...Array.from({ length: count }, (_, i) => `s:${i}`),
      ...(all ? ['*'] : []),
    ]),
  enabled: often(true, false),
  not_before: often(null, ...days(-3)),
  expires_at: fc.constantFrom(null, null, ...days(1, -5, -29.9, -30.1, -400)),
  created_at: fc.constantFrom(...days(0.9, 1.1, 100, 400)),
  updated_at: fc.constantFrom(...days(0.5, 89.9, 90.1, 300)),
  revoked_at: often(null, ...days(0.1)),
  deleted: often(false, true),
  last_used_at: fc.constantFrom(null, ...days(0, 29, 89.96, 90.04, 91, 200)),
  issued_at: fc.constantFrom(...days(0.5, 179.9, 180.1, 300)),
  imported: often(false, true),
  valid_until: fc.constantFrom(null, null, ...days(0.2, -2, -20)),
  old_used_at: fc.constantFrom(null, ...days(0, 0.4, 0.6, 200)),
});
type ValueOf<A> = A extends fc.Arbitrary<infer Value> ? Value : never;
export type HygieneKey = ValueOf<typeof HygieneKey> & { id: string };

export function hygieneKeys(count: number, seed: number): HygieneKey[] {
  return fc
    .sample(HygieneKey, { numRuns: count, seed })
    .map((key, i) => ({ ...key, id: `key_${String(i).padStart(22, '0')}` }));
}

/** Inserts keys with a current string, a retiring one where `valid_until` says so, and their usage. */
export async function insertHygieneKeys(sql: pg.Client, keys: readonly HygieneKey[]) {
  const rows = JSON.stringify(keys);
  const each = (columns: string) => `from jsonb_to_recordset($1) as k (id text, ${columns})`;
  await sql.query(
    `insert into keys (id, workspace_id, name, prefix, owner_id, scopes, metadata, enabled,
                       not_before, expires_at, created_at, created_by, updated_at, revoked_at,
                       deleted_at)
     select id, workspace_id, id, 'ak_live', owner_id, scopes, '{}', enabled, not_before, expires_at,
            created_at, '{"type":"root","id":"root","onBehalfOf":null}', updated_at, revoked_at,
            case when deleted then now() end
       ${each(`workspace_id text, owner_id text, scopes text[], enabled boolean,
               not_before timestamptz, expires_at timestamptz, created_at timestamptz,
               updated_at timestamptz, revoked_at timestamptz, deleted boolean`)}`,
    [rows],
  );
  await sql.query(
    `insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at, valid_until)
     select case when imported then 'sha256:' || id || '@' || workspace_id else id end, 'sec_' || id,
            id, workspace_id, 'ak_live_aaaaaa…', 'none', 'current', issued_at, null
       ${each('workspace_id text, imported boolean, issued_at timestamptz')}
     union all
     select id || 'old', 'old_' || id, id, workspace_id, 'ak_live_bbbbbb…', 'none', 'retiring',
            created_at, valid_until
       ${each('workspace_id text, created_at timestamptz, valid_until timestamptz')}
      where valid_until is not null`,
    [rows],
  );
  await sql.query(
    `update key_usage set total = 1, last_used_at = k.last_used_at,
            last_used_day = (k.last_used_at at time zone 'UTC')::date
       ${each('last_used_at timestamptz')} where key_id = k.id and k.last_used_at is not null`,
    [rows],
  );
  await sql.query(
    `insert into secret_usage (secret_ref, total, last_used_at)
     select id || 'old', 1, old_used_at ${each('old_used_at timestamptz')}
      where old_used_at is not null`,
    [rows],
  );
}

/** The parameters of a report, some of them by default. */
export const HygieneParameters = fc
  .record(
    {
      idleDays: fc.constantFrom(30, 89, 91),
      expiringDays: fc.constantFrom(6, 29, 401),
      maxScopes: fc.constantFrom(5, 6, 11, 30),
      rotateAfterDays: fc.constantFrom(1, 179, 299),
      disabledDays: fc.constantFrom(1, 91),
    },
    { requiredKeys: [] },
  )
  .map((given) => ({
    ...{ idleDays: 90, expiringDays: 30, maxScopes: 10, rotateAfterDays: 180, disabledDays: 90 },
    ...given,
  }));
export type HygieneParameters = ValueOf<typeof HygieneParameters>;

const isBefore = (time: string | null, age: number) =>
  time !== null && Date.parse(time) < Date.now() - age * DAY_MS;

/** Whether a section has a key, and the time that it shows. */
const RULES: Record<string, (key: HygieneKey, by: HygieneParameters) => string | null | false> = {
  'never-used': (key) => key.last_used_at === null && isBefore(key.created_at, 1) && key.created_at,
  idle: (key, by) => isBefore(key.last_used_at, by.idleDays) && key.last_used_at,
  'without-expiry': (key) => key.expires_at === null && key.created_at,
  expiring: (key, by) => isBefore(key.expires_at, -by.expiringDays) && key.expires_at,
  'all-scopes': (key) => key.scopes.includes('*') && key.created_at,
  'many-scopes': (key, by) => key.scopes.length > by.maxScopes && key.created_at,
  'rotation-due': (key, by) => isBefore(key.issued_at, by.rotateAfterDays) && key.issued_at,
  'imported-never-rotated': (key) => key.imported && key.issued_at,
  'retiring-in-use': (key) =>
    key.valid_until !== null &&
    !isBefore(key.valid_until, 0) &&
    key.old_used_at !== null &&
    key.old_used_at > key.issued_at &&
    key.old_used_at,
  'disabled-long': (key, by) =>
    !key.enabled && isBefore(key.updated_at, by.disabledDays) && key.updated_at,
};
export const KEY_SECTIONS = Object.keys(RULES);

/** The ids of the keys of a section, each with its time. */
export function expectedSection(
  keys: readonly HygieneKey[],
  section: string,
  by: HygieneParameters,
): Map<string, string> {
  return new Map(
    keys
      .filter((key) => !key.deleted && !key.revoked_at && !isBefore(key.expires_at, 0))
      .flatMap((key): [string, string][] => {
        const since = RULES[section]?.(key, by);
        return since ? [[key.id, since]] : [];
      }),
  );
}

/** Owners none of whose keys is active or scheduled, each as its workspace, id and number of keys. */
export function expectedOwners(keys: readonly HygieneKey[]) {
  const owned = keys.filter(({ deleted, owner_id }) => !deleted && owner_id !== null);
  const groups = Map.groupBy(owned, (key) => `${key.workspace_id} ${key.owner_id}`);
  return [...groups.values()]
    .filter((own) =>
      own.every((key) => !key.enabled || key.revoked_at || isBefore(key.expires_at, 0)),
    )
    .map((own) => ({
      workspaceId: own[0]?.workspace_id,
      ownerId: own[0]?.owner_id,
      keys: own.length,
    }));
}
