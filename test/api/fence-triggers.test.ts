import argon2 from 'argon2';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HmacKey } from '../../src/domain/hmac-key.ts';
import { generateKey } from '../../src/domain/key-string.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { createKey, insertKey, verdict } from '../support/sql-keys.ts';
import { warmKey, warmManagementKey, warmUnknown } from '../support/warm.ts';

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

async function createWarmKey(workspaceId = 'default') {
  const created = await createKey(first, { workspaceId });
  await warmKey(created.key, first, second);
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
  ['an UPDATE of its id', `update keys set id = id || '-moved' where id = $1`, 'NOT_FOUND'],
  ['a DELETE of the key', 'delete from keys where id = $1', 'NOT_FOUND'],
  ['a DELETE of its secret', 'delete from secrets where key_id = $1', 'NOT_FOUND'],
  [
    'an UPDATE of its secret',
    `update secrets set status = 'retired' where key_id = $1`,
    'NOT_FOUND',
  ],
  [
    'an UPDATE of the ref of its secret',
    `update secrets set ref = ref || '-moved' where key_id = $1`,
    'NOT_FOUND',
  ],
  [
    'an UPDATE that gives its secret to another key',
    `update secrets set key_id = key_id || '-other' where key_id = $1`,
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
      const { id, key } = await createWarmKey(await createWorkspace());
      await client.query(`set session_replication_role = ${role}`);
      await client.query(statement, [id]);
      expect(await verdicts(key)).toEqual([code, code]);
    },
  );

  it(`a key inserted by hand under a ref that was cached as unknown is found at once (session_replication_role = ${role})`, async () => {
    const { rows } = await client.query('select checksum_key from installation');
    const { key, ref } = generateKey('ak_live', new HmacKey(rows[0].checksum_key));
    await warmUnknown(key, first, second);
    await client.query(`set session_replication_role = ${role}`);
    const hash = await argon2.hash(key, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
    await insertKey(client, { id: `key_${ref}`, ref, hash });
    expect(await verdicts(key)).toEqual(['VALID', 'VALID']);
  });

  it(`a secret whose ref becomes one that was cached as unknown is found at once (session_replication_role = ${role})`, async () => {
    const { rows } = await client.query('select checksum_key from installation');
    const { key, ref } = generateKey('ak_live', new HmacKey(rows[0].checksum_key));
    const { id } = await createKey(first);
    await warmUnknown(key, first, second);
    await client.query(`set session_replication_role = ${role}`);
    const hash = await argon2.hash(key, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
    await client.query('update secrets set ref = $1, hash = $2 where key_id = $3', [ref, hash, id]);
    expect(await verdicts(key)).toEqual(['VALID', 'VALID']);
  });

  it(`a TRUNCATE is noticed by every instance at once (session_replication_role = ${role})`, async () => {
    const keys = [await createWarmKey(), await createWarmKey()];
    await client.query(`begin; set session_replication_role = ${role}; truncate secrets cascade`);
    await client.query('commit');
    for (const { key } of keys) expect(await verdicts(key)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
  });
});

it('a management key that is revoked by SQL is refused by every instance at once', async () => {
  const body = { name: 'service', permissions: ['keys:verify'] };
  const made = (await first.call('POST', '/v1/management-keys', { body })).body;
  const { key } = await createWarmKey();
  const ask = (instance: Instance) =>
    instance.call('POST', '/v1/verify', { body: { key }, as: made.key });
  const statuses = async () => (await Promise.all([first, second].map(ask))).map((a) => a.status);
  expect(await statuses()).toEqual([200, 200]);
  await warmManagementKey(made.key, first, second);
  await client.query('update management_keys set revoked_at = now() where id = $1', [made.id]);
  expect(await statuses()).toEqual([401, 401]);
});

it('a row that is written without being changed costs one load at most', async () => {
  const { id, key } = await createWarmKey();
  await client.query('update keys set name = name where id = $1', [id]);
  expect(await verdicts(key)).toEqual(['VALID', 'VALID']);
});
