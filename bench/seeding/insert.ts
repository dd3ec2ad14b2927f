import { hash } from 'node:crypto';
import type pg from 'pg';
import type { SeededRow } from './rows.ts';

/** A row with its key material; the string itself is not stored. */
export interface SeededKey extends SeededRow {
  id: string;
  ref: string;
  secretId: string;
  start: string;
  pepperId: string;
  proof: Buffer;
}

/** Matches no key: seeded keys verify by their stored proofs. */
const NO_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const CREATED_BY = JSON.stringify({ type: 'root', id: 'root', onBehalfOf: null });

/** Columns of a table: their type, and the value of a row. */
type Columns<Row> = Record<
  string,
  [type: string, of: (row: Row) => string | number | boolean | null]
>;

const at = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

const keyColumns = (workspaceId: string): Columns<SeededKey> => ({
  id: ['text', (key) => key.id],
  workspace_id: ['text', () => workspaceId],
  name: ['text', (key) => key.name],
  prefix: ['text', (key) => key.prefix],
  owner_id: ['text', (key) => key.ownerId],
  scopes: ['text[]', (key) => `{${key.scopes.join(',')}}`],
  metadata: ['jsonb', (key) => JSON.stringify(key.metadata)],
  enabled: ['boolean', (key) => key.enabled],
  not_before: ['timestamptz', (key) => at(key.notBefore)],
  expires_at: ['timestamptz', (key) => at(key.expiresAt)],
  created_at: ['timestamptz', (key) => at(key.createdAt)],
  created_by: ['jsonb', () => CREATED_BY],
  updated_at: ['timestamptz', (key) => at(key.revokedAt ?? key.createdAt)],
  revoked_at: ['timestamptz', (key) => at(key.revokedAt)],
  revoked_by: ['jsonb', (key) => (key.revokedAt === null ? null : CREATED_BY)],
});

const secretColumns = (workspaceId: string): Columns<SeededKey> => ({
  ref: ['text', (key) => key.ref],
  id: ['text', (key) => key.secretId],
  key_id: ['text', (key) => key.id],
  workspace_id: ['text', () => workspaceId],
  start: ['text', (key) => key.start],
  hash: ['text', () => NO_HASH],
  status: ['text', () => 'current'],
  created_at: ['timestamptz', (key) => at(key.createdAt)],
});

const PROOF_COLUMNS: Columns<SeededKey> = {
  ref: ['text', (key) => key.ref],
  pepper_id: ['text', (key) => key.pepperId],
  proof: ['bytea', (key) => `\\x${key.proof.toString('hex')}`],
  hash_digest: ['bytea', () => `\\x${hash('sha256', NO_HASH)}`],
};

const useColumns = (name: string, of: (key: SeededKey) => string): Columns<SeededKey> => ({
  [name]: ['text', of],
  total: ['bigint', (key) => key.use?.total ?? 0],
  last_used_at: ['timestamptz', (key) => at(key.use?.lastUsedAt ?? null)],
  last_denied_at: ['timestamptz', (key) => at(key.use?.lastDeniedAt ?? null)],
});

interface SeededHour {
  keyId: string;
  ref: string;
  hour: number;
  code: string;
  count: number;
}

const hourColumns = (workspaceId: string): Columns<SeededHour> => ({
  workspace_id: ['text', () => workspaceId],
  key_id: ['text', (row) => row.keyId],
  hour: ['timestamptz', (row) => at(row.hour)],
  secret_ref: ['text', (row) => row.ref],
  code: ['text', (row) => row.code],
  count: ['bigint', (row) => row.count],
});

/** Inserts many keys and their related rows in one transaction. */
export async function insertKeys(
  client: pg.Client,
  workspaceId: string,
  keys: readonly SeededKey[],
) {
  const used = keys.filter(({ use }) => use !== null);
  await client.query('begin');
  await insert(client, 'keys', keyColumns(workspaceId), keys);
  await insert(client, 'secrets', secretColumns(workspaceId), keys);
  await insert(client, 'secret_proofs', PROOF_COLUMNS, keys);
  // In place of the rows that a trigger has made.
  await client.query('delete from key_usage where key_id = any($1)', [used.map(({ id }) => id)]);
  const keyUse = {
    workspace_id: ['text', () => workspaceId],
    last_used_day: ['date', ({ use }) => at(use?.lastUsedAt ?? null)?.slice(0, 10) ?? null],
    ...useColumns('key_id', ({ id }) => id),
  } satisfies Columns<SeededKey>;
  await insert(client, 'key_usage', keyUse, used);
  await insert(
    client,
    'secret_usage',
    useColumns('secret_ref', ({ ref }) => ref),
    used,
  );
  await insert(client, 'usage_recent', hourColumns(workspaceId), used.flatMap(hoursOf));
  await client.query('commit');
}

function hoursOf({ id, ref, use }: SeededKey): SeededHour[] {
  return (use?.hours ?? []).map((hour) => ({ keyId: id, ref, ...hour }));
}

/** One statement for all rows, whose columns are sent as arrays of text. */
async function insert<Row>(
  client: pg.Client,
  table: string,
  columns: Columns<Row>,
  rows: readonly Row[],
) {
  const names = Object.keys(columns);
  const specs = Object.values(columns);
  const selected = specs.map(([type], i) => `c${i}::${type}`);
  await client.query(
    `insert into ${table} (${names.join(', ')})
     select ${selected.join(', ')}
       from unnest(${specs.map((_, i) => `$${i + 1}::text[]`).join(', ')})
            as rows (${specs.map((_, i) => `c${i}`).join(', ')})`,
    specs.map(([, of]) => rows.map(of)),
  );
}
