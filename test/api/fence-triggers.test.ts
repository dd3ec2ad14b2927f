import argon2 from 'argon2';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { generateKey } from '../../src/domain/key-string.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createKey, insertKey, verdict } from '../support/sql-keys.ts';

const LOADS = 'keyward_credential_loads_total';

let database: TestDatabase;
let first: Instance;
let second: Instance;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  first = await launch(database.url);
  second = await launch(database.url);
});
afterAll(async () => {
  await first.stop();
  await second.stop();
  await database.drop();
});
beforeEach(async () => {
  client = await connect(database.url);
});

/** Verifies on both instances at the same time, so that neither learns from the other. */
const verdicts = (key: string) => Promise.all([verdict(first, key), verdict(second, key)]);

async function warmKey(workspaceId = 'default') {
  const created = await createKey(first);
  await client.query('update keys set workspace_id = $1 where id = $2', [workspaceId, created.id]);
  expect(await verdicts(created.key)).toEqual(['VALID', 'VALID']);
  return created;
}

async function createWorkspace(): Promise<string> {
  const id = `team-${Math.random().toString(36).slice(2)}`;
  await client.query('insert into workspaces (id) values ($1)', [id]);
  return id;
}

const CHANGES = [
  ['an UPDATE that revokes', 'update keys set revoked_at = now() where id = $1', 'REVOKED'],
  ['an UPDATE that disables', 'update keys set enabled = false where id = $1', 'DISABLED'],
  ['an UPDATE that ends', 'update keys set expires_at = now() where id = $1', 'EXPIRED'],
  ['an UPDATE of addresses', `update keys set allowed_ips = '{}' where id = $1`, 'IP_NOT_ALLOWED'],
  ['a DELETE of the key', 'delete from keys where id = $1', 'NOT_FOUND'],
  ['a DELETE of its secret', 'delete from secrets where key_id = $1', 'NOT_FOUND'],
  [
    'an UPDATE of its secret',
    `update secrets set status = 'retired' where key_id = $1`,
    'NOT_FOUND',
  ],
  [
    'an upsert',
    `insert into keys select (jsonb_populate_record(k, '{"enabled": false}')).* from keys k
      where id = $1 on conflict (id) do update set enabled = excluded.enabled`,
    'DISABLED',
  ],
  [
    'a writing CTE',
    `with gone as (update keys set enabled = false where id = $1 returning id) select * from gone`,
    'DISABLED',
  ],
  [
    'a suspension of its workspace',
    `update workspaces set status = 'suspended'
      where id = (select workspace_id from keys where id = $1)`,
    'WORKSPACE_SUSPENDED',
  ],
] as const;

describe.for(['origin', 'replica'])('SQL written by hand, in the role %s', (role) => {
  it.for(CHANGES)(
    `%s is noticed by every instance at once (session_replication_role = ${role})`,
    async ([, statement, code]) => {
      const { id, key } = await warmKey(await createWorkspace());
      await client.query(`set session_replication_role = ${role}`);
      await client.query(statement, [id]);
      expect(await verdicts(key)).toEqual([code, code]);
    },
  );

  it(`a key inserted by hand under a ref that was cached as unknown is found at once (session_replication_role = ${role})`, async () => {
    const { rows } = await client.query('select checksum_key from installation');
    const { key, ref } = generateKey('ak_live', rows[0].checksum_key);
    // Twice, because the fence of the first can report a change that keeps it from being cached.
    for (let i = 0; i < 2; i++) expect(await verdicts(key)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
    const loads = await metric(first, LOADS);
    expect(await verdicts(key)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
    expect(await metric(first, LOADS)).toBe(loads);
    await client.query(`set session_replication_role = ${role}`);
    const hash = await argon2.hash(key, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
    await insertKey(client, { id: `key_${ref}`, ref, hash });
    expect(await verdicts(key)).toEqual(['VALID', 'VALID']);
  });

  it(`a TRUNCATE is noticed by every instance at once (session_replication_role = ${role})`, async () => {
    const keys = [await warmKey(), await warmKey()];
    await client.query(`begin; set session_replication_role = ${role}; truncate secrets cascade`);
    await client.query('commit');
    for (const { key } of keys) expect(await verdicts(key)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
  });
});

describe('a statement that changes more than a thousand keys', () => {
  it('a statement that changes over a thousand keys is one feed row for each workspace, and evicts on every instance', async () => {
    const workspaces = [await createWorkspace(), await createWorkspace()];
    const warm = [];
    for (const workspaceId of workspaces) {
      warm.push(await warmKey(workspaceId));
      await client.query(
        `insert into keys (id, workspace_id, name, prefix, scopes, metadata, enabled,
                           created_at, created_by, updated_at)
         select 'bulk_' || $1 || n, $1, 'bulk', 'ak_live', '{}', '{}', true, now(), '{}', now()
           from generate_series(1, 600) n`,
        [workspaceId],
      );
    }
    await client.query('begin');
    await client.query('update keys set enabled = false where workspace_id = any($1)', [
      workspaces,
    ]);
    const { rows } = await client.query(
      'select kind, id from change_feed where txid = pg_current_xact_id() order by id',
    );
    await client.query('commit');
    expect(rows).toEqual(workspaces.sort().map((id) => ({ kind: 'workspace', id })));
    for (const { key } of warm) expect(await verdicts(key)).toEqual(['DISABLED', 'DISABLED']);
  });

  it('a statement that changes over a thousand keys without a workspace is one feed row that stands for everything', async () => {
    const { key } = await warmKey();
    await client.query(
      `insert into secrets (ref, id, key_id, start, hash, status, created_at)
       select 'bulk' || n, 'bulk' || n, 'none', 'x', 'x', 'retired', now()
         from generate_series(1, 1001) n`,
    );
    await client.query('begin');
    await client.query(`update secrets set hash = 'y' where workspace_id is null`);
    const { rows } = await client.query(
      'select kind from change_feed where txid = pg_current_xact_id()',
    );
    await client.query('commit');
    expect(rows).toEqual([{ kind: 'everything' }]);
    expect(await verdicts(key)).toEqual(['VALID', 'VALID']);
  });
});

it('a management key that is revoked by SQL is refused by every instance at once', async () => {
  const body = { name: 'service', permissions: ['keys:verify'] };
  const made = (await first.call('POST', '/v1/management-keys', { body })).body;
  const { key } = await warmKey();
  const ask = (instance: Instance) =>
    instance.call('POST', '/v1/verify', { body: { key }, as: made.key });
  const statuses = async () => (await Promise.all([first, second].map(ask))).map((a) => a.status);
  expect(await statuses()).toEqual([200, 200]);
  await client.query('update management_keys set revoked_at = now() where id = $1', [made.id]);
  expect(await statuses()).toEqual([401, 401]);
});

it('a row that is written without being changed costs one load at most', async () => {
  const { id, key } = await warmKey();
  await client.query('update keys set name = name where id = $1', [id]);
  expect(await verdicts(key)).toEqual(['VALID', 'VALID']);
});
