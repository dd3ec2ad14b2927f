import type pg from 'pg';
import { beforeEach, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { base62, forgeKey, partsOf, readChecksumKey } from '../support/forged-key.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { warmKey, warmManagementKey, warmUnknown } from '../support/warm.ts';

/** The most rows of one statement that the feed names one by one. */
const NAMED = 1000;

const pair = usePair();
let client: pg.Client;
let workspaces = 0;

beforeEach(async () => {
  client = await connect(pair.databaseUrl);
});

const verdicts = (key: string) =>
  Promise.all([verdict(pair.first, key), verdict(pair.second, key)]);

/** A workspace with this many keys, the first of them warm on both instances. */
async function fillWorkspace(keys: number) {
  const workspaceId = `bulk-${++workspaces}`;
  await putWorkspace(pair.first, workspaceId);
  const { id, key } = await createKey(pair.first, { workspaceId });
  await client.query(
    `insert into keys (id, workspace_id, name, prefix, scopes, metadata, enabled,
                       created_at, created_by, updated_at)
     select $1 || '_' || n, $1, 'bulk', 'ak_live', '{}', '{}', true, now(), '{}', now()
       from generate_series(2, $2::int) n`,
    [workspaceId, keys],
  );
  await warmKey(key, pair.first, pair.second);
  return { workspaceId, id, key };
}

/** What one statement leaves in the feed, before it is committed. */
async function feedOf(statement: string, values: unknown[] = []): Promise<string[]> {
  await client.query('begin');
  await client.query(statement, values);
  const { rows } = await client.query(
    'select kind, id from change_feed where txid = pg_current_xact_id()',
  );
  await client.query('commit');
  return rows.map(({ kind, id }) => `${kind} ${id}`.trim()).sort();
}

const DISABLE = 'update keys set enabled = false where workspace_id = any($1)';

it('a statement that changes exactly a thousand keys names each of them, and no workspace', async () => {
  const { workspaceId, id, key } = await fillWorkspace(NAMED);
  const named = await feedOf(DISABLE, [[workspaceId]]);
  expect(new Set(named).size).toBe(NAMED);
  expect(named).toContain(`key ${id}`);
  expect(named.filter((name) => !name.startsWith('key '))).toEqual([]);
  expect(await verdicts(key)).toEqual(['DISABLED', 'DISABLED']);
});

it('a statement that changes one key more than a thousand is one feed row, and evicts everywhere', async () => {
  const { workspaceId, key } = await fillWorkspace(NAMED + 1);
  expect(await feedOf(DISABLE, [[workspaceId]])).toEqual([`workspace ${workspaceId}`]);
  expect(await verdicts(key)).toEqual(['DISABLED', 'DISABLED']);
});

it('a statement over the keys of two workspaces, few in each, is one feed row for each', async () => {
  const both = [await fillWorkspace(600), await fillWorkspace(600)];
  const ids = both.map(({ workspaceId }) => workspaceId);
  expect(await feedOf(DISABLE, [ids])).toEqual(ids.map((id) => `workspace ${id}`).sort());
  for (const { key } of both) expect(await verdicts(key)).toEqual(['DISABLED', 'DISABLED']);
});

it('a statement that moves a thousand keys to another workspace names the old one, too', async () => {
  const from = await fillWorkspace(NAMED + 1);
  const to = await fillWorkspace(1);
  const move = 'update keys set workspace_id = $2 where workspace_id = $1';
  expect(await feedOf(move, [from.workspaceId, to.workspaceId])).toEqual(
    [from, to].map(({ workspaceId }) => `workspace ${workspaceId}`).sort(),
  );
  const ask = (workspaceId: string) =>
    pair.second.call('POST', '/v1/verify', { body: { key: from.key, workspaceId } });
  expect((await ask(from.workspaceId)).body.code).toBe('NOT_FOUND');
  expect((await ask(to.workspaceId)).body.code).toBe('VALID');
});

it('a statement over a thousand secrets of no workspace names everything, and evicts everywhere', async () => {
  const { key } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
  await client.query(
    `insert into secrets (ref, id, key_id, start, hash, status, created_at)
     select 'bulk' || n, 'bulk' || n, 'none', 'x', 'x', 'retiring', now()
       from generate_series(1, $1) n`,
    [NAMED],
  );
  await warmManagementKey(key, pair.first, pair.second);
  const retire = `update secrets set status = 'retired' where workspace_id is null`;
  expect(await feedOf(retire)).toEqual(['everything']);
  for (const instance of [pair.first, pair.second]) {
    expect((await instance.call('GET', '/v1/whoami', { as: key })).status).toBe(401);
  }
});

it.for(['its workspace', 'no workspace'])(
  'a string that was known to be no key is VALID once a thousand secrets of %s are inserted with it',
  async (whose) => {
    const { workspaceId, id } = await fillWorkspace(1);
    const owner = whose === 'no workspace' ? null : workspaceId;
    const checksumKey = await readChecksumKey(pair.databaseUrl);
    const key = forgeKey('ak_live', base62(16), checksumKey);
    await warmUnknown(key, pair.first, pair.second);
    const hash = await pair.first.service.internals.hasher.hash(key, 'issuance', { group: '' });
    const insert = `
    insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at)
    select case n when 1 then $1 else $1 || n end, $1 || n, $2, $3, 'x', $4, 'retiring', now()
      from generate_series(1, $5::int) n`;
    const values = [partsOf(key).ref, id, owner, hash, NAMED + 1];
    expect(await feedOf(insert, values)).toEqual([owner ? `workspace ${owner}` : 'everything']);
    expect(await verdicts(key)).toEqual(['VALID', 'VALID']);
  },
);
