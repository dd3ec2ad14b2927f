import type pg from 'pg';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What was counted, with what it belongs to. */
export interface Counted {
  workspaceId: string;
  ownerId: string | null;
  /** Null: of no key. */
  keyId: string | null;
  secretId: string | null;
  secretRef: string;
  code: string;
  kind: 'key' | 'removed' | 'unmatched';
  hour: number;
  verifications: number;
  units: number;
}

interface TrafficKey {
  id: string;
  workspaceId: string;
  ownerId: string | null;
  /** The current one first; a second one is retired. */
  secrets: { id: string; ref: string }[];
}

export interface Traffic {
  keys: TrafficKey[];
  counted: Counted[];
}

export interface TrafficOptions {
  seed: number;
  workspaces: number;
  owners: number;
  keys: number;
  /** Before now. */
  days: number;
  /** Of each key, on average. */
  rowsEach: number;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const CODES = ['VALID', 'VALID', 'VALID', 'EXPIRED', 'RATE_LIMITED', 'INSUFFICIENT_SCOPE'];

/** Keys of owners in workspaces, and what was verified with them. */
export function newTraffic(options: TrafficOptions): Traffic {
  const random = randomNumbers(options.seed);
  const below = (max: number) => Math.floor(random() * max);
  const keys = Array.from({ length: options.keys }, (_, index) => newKey(index, options));
  const now = Math.floor(Date.now() / HOUR_MS);
  const hours = options.days * 24;
  const counted = keys.flatMap(({ id, workspaceId, ownerId, secrets }) =>
    Array.from({ length: below(2 * options.rowsEach) }, (): Counted => {
      const secret = secrets[below(secrets.length)] ?? { id: '', ref: '' };
      const code = CODES[below(CODES.length)] ?? 'VALID';
      const verifications = 1 + below(1000);
      return {
        ...{ workspaceId, ownerId, keyId: id, secretId: secret.id, secretRef: secret.ref, code },
        ...{ kind: 'key', hour: (now - below(hours)) * HOUR_MS, verifications },
        units: code === 'VALID' ? verifications * (1 + below(3)) : 0,
      };
    }),
  );
  const unmatched = Array.from({ length: options.workspaces * 40 }, (): Counted => {
    return {
      ...{ workspaceId: `ws${below(options.workspaces)}`, ownerId: null, keyId: null },
      ...{ secretId: null, secretRef: '', code: 'NOT_FOUND', kind: 'unmatched' },
      ...{ hour: (now - below(hours)) * HOUR_MS, verifications: 1 + below(50), units: 0 },
    };
  });
  return { keys, counted: [...counted, ...unmatched] };
}

function newKey(index: number, { workspaces, owners }: TrafficOptions): TrafficKey {
  const id = String(index).padStart(22, '0');
  const old = String(index + 500_000).padStart(22, '0');
  const secrets = [{ id: `sec_${id}`, ref: id.slice(6) }];
  if (index % 3 === 0) secrets.push({ id: `sec_${old}`, ref: old.slice(6) });
  return {
    id: `key_${id}`,
    workspaceId: `ws${index % workspaces}`,
    ownerId: index % 17 === 0 ? null : `customer_${index % owners}`,
    secrets,
  };
}

/** Writes keys as if they were made long ago, and counts as the fold writes them. */
export async function seedTraffic(client: pg.Client, { keys, counted }: Traffic): Promise<void> {
  const created = new Date(Date.now() - 200 * DAY_MS).toISOString();
  await client.query(
    `insert into workspaces (id, created_at) select distinct id, $2::timestamptz from unnest($1::text[]) as id`,
    [keys.map(({ workspaceId }) => workspaceId), created],
  );
  await client.query(
    `insert into keys (id, workspace_id, name, prefix, owner_id, scopes, metadata, enabled,
                       created_at, created_by, updated_at)
     select id, workspace, 'key ' || id, 'ak_live', owner, '{}', '{}', true, $4::timestamptz, '{}', $4
       from unnest($1::text[], $2::text[], $3::text[]) as k (id, workspace, owner)`,
    [
      ...[keys.map(({ id }) => id), keys.map(({ workspaceId }) => workspaceId)],
      ...[keys.map(({ ownerId }) => ownerId), created],
    ],
  );
  const secrets = keys.flatMap((key) =>
    key.secrets.map((secret, index) => ({ key, secret, index })),
  );
  await client.query(
    `insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at)
     select ref, id, key, workspace, 'ak_live_' || right(ref, 6), 'none',
            case place when 0 then 'current' else 'retired' end,
            $5::timestamptz - make_interval(days => place)
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $6::int[])
              as s (ref, id, key, workspace, place)`,
    [
      ...[secrets.map(({ secret }) => secret.ref), secrets.map(({ secret }) => secret.id)],
      ...[secrets.map(({ key }) => key.id), secrets.map(({ key }) => key.workspaceId)],
      ...[created, secrets.map(({ index }) => index)],
    ],
  );
  await insertCounted(client, counted);
}

export async function insertCounted(client: pg.Client, counted: readonly Counted[]): Promise<void> {
  const column = (value: (row: Counted) => unknown) => counted.map(value);
  await client.query(
    `insert into usage_recent as u (workspace_id, key_id, hour, secret_ref, code, count, units)
     select workspace, key, hour, ref, code, sum(count), sum(units)
       from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
              as c (workspace, key, hour, ref, code, count, units)
      where key is not null group by 1, 2, 3, 4, 5
     on conflict (workspace_id, key_id, hour, secret_ref, code)
     do update set count = u.count + excluded.count, units = u.units + excluded.units`,
    [
      ...[column((row) => row.workspaceId), column((row) => row.keyId)],
      ...[column((row) => new Date(row.hour).toISOString()), column((row) => row.secretRef)],
      ...[
        column((row) => row.code),
        column((row) => row.verifications),
        column((row) => row.units),
      ],
    ],
  );
  const unmatched = counted.filter(({ keyId }) => keyId === null);
  await client.query(
    `insert into usage_unmatched as u (workspace_id, hour, count)
     select workspace, hour, sum(count) from unnest($1::text[], $2::timestamptz[], $3::bigint[])
              as c (workspace, hour, count) group by 1, 2
     on conflict (workspace_id, hour) do update set count = u.count + excluded.count`,
    [
      unmatched.map((row) => row.workspaceId),
      unmatched.map((row) => new Date(row.hour).toISOString()),
      unmatched.map((row) => row.verifications),
    ],
  );
}

export type Grouping = 'workspace' | 'owner' | 'key' | 'secret' | 'code' | 'time';

/** By the values of what is grouped by, with the bucket by its label: verifications and units. */
export type Figures = Map<string, [verifications: number, units: number]>;

interface Group {
  workspaceId: string | null;
  ownerId: string | null;
  keyId: string | null;
  secretId: string | null;
  code: string | null;
  kind: string | null;
}

/** Counts directly what was sent. `labelOf` names the bucket of an instant. */
export function countDirectly(
  counted: readonly Counted[],
  groupBy: readonly Grouping[],
  labelOf: (instant: number) => string,
): Figures {
  const figures: Figures = new Map();
  for (const row of counted) {
    const name = nameOf(groupOf(row, groupBy), groupBy.includes('time') ? labelOf(row.hour) : '');
    const [verifications, units] = figures.get(name) ?? [0, 0];
    figures.set(name, [verifications + row.verifications, units + row.units]);
  }
  return figures;
}

function groupOf(row: Counted, groupBy: readonly Grouping[]): Group {
  const by = (grouping: Grouping, value: string | null) =>
    groupBy.includes(grouping) ? value : null;
  const isOfKeys = groupBy.some((name) => name === 'owner' || name === 'key' || name === 'secret');
  const isRemoved = row.kind === 'key' && groupBy.includes('secret') && row.secretId === null;
  return {
    workspaceId: by('workspace', row.workspaceId),
    ownerId: by('owner', row.ownerId),
    keyId: by('key', row.keyId),
    secretId: by('secret', row.secretId),
    code: by('code', row.code),
    kind: isOfKeys ? (isRemoved ? 'removed' : row.kind) : null,
  };
}

export function nameOf(group: Group, label: string): string {
  const { workspaceId, ownerId, keyId, secretId, code, kind } = group;
  return [label, workspaceId, ownerId, keyId, secretId, code, kind].map((it) => it ?? '').join('|');
}
