import type pg from 'pg';
import { beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { memoryBudget } from '../../src/lib/memory-budget.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { launch, launchForTest, type TestSettings } from '../support/instance.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { foldLog } from '../support/usage-log.ts';

const MIB = 1024 * 1024;
let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
});

const launched = (settings: TestSettings = {}) => launchForTest(database.url, settings);

it('each bound has the limit that its setting says, or its own', async () => {
  const memory = memoryBudget(256 * MIB, 16);
  const settings = { memory, poolSize: 7, maxInFlight: 77, maxConnectionsPerAddress: 55 };
  const { text } = await (await launched(settings)).call('GET', '/metrics');
  const limits = text.matchAll(/^keyward_bound_limit{bound="(\w+)"} (\d+)$/gm);
  expect(Object.fromEntries([...limits].map(([, bound, limit]) => [bound, Number(limit)]))).toEqual(
    {
      argon2_rehashing_waiting: 16,
      argon2_issuance_waiting: 512,
      argon2_low_waiting: 32,
      argon2_management_waiting: 512,
      argon2_verification_waiting: 512,
      body_bytes: 8 * MIB,
      connections: 2048,
      connections_of_one_address: 55,
      batch_items: 8192 - 77,
      counters: 8192,
      credentials: 12 * MIB,
      denials: 4096,
      loads_waiting: 8192,
      held_bodies: 4 * MIB,
      leak_reports: MIB,
      leak_requests: 16,
      management_calls: 32 * MIB,
      management_connections: 7,
      open_requests: 100,
      management_waiting: 1024,
      proofs: 4 * MIB,
      quota_requests_locked: 10_000,
      quota_requests_waiting: 8192,
      request_rates: 4096,
      requests: 77,
      rows_loading: 16,
      shared_scopes: 2 * MIB,
      suspect_refs: 10_000,
      unknown_refs: 10_000,
      unsent_answers: 32 * MIB,
      verification_connections: 7,
      wrong_keys: 10_000,
    },
  );
});

it('keys are hashed with the cost of argon2 that is set', async () => {
  const argon2 = { memoryCost: 9216, timeCost: 3, parallelism: 2 };
  const { id } = await createKey(await launched({ argon2 }));
  const { rows } = await client.query('select hash from secrets where key_id = $1', [id]);
  const [, algorithm, version, cost] = rows[0].hash.split('$');
  expect([algorithm, version]).toEqual(['argon2id', 'v=19']);
  expect(cost.split(',').sort()).toEqual(['m=9216', 'p=2', 't=3']);
});

it.skipIf(inject('pgbouncer') !== null).each([
  [true, ['fence', 'load_credentials']],
  [false, []],
])(
  'statements of verification are prepared where that is %s',
  async (preparedStatements, names) => {
    const instance = await launched({ preparedStatements });
    const { key } = await createKey(instance);
    expect(await verdict(instance, key)).toBe('VALID');
    const text = `select name from pg_prepared_statements where name in ('fence', 'load_credentials')`;
    const probe = () => instance.service.internals.database.query({ name: 'probe', text }, []);
    // Several at once, since what is prepared belongs to one connection.
    const rows = (await Promise.all(Array.from({ length: 6 }, probe))).flat();
    expect([...new Set(rows.map(({ name }) => name))].sort()).toEqual(names);
  },
);

it('a header that KEYWARD_KEY_HEADER names in capitals is the key, however gateways write it', async () => {
  const { keyHeader } = readConfig({ KEYWARD_KEY_HEADER: 'X-ACME-Key' });
  const instance = await launched({ keyHeader });
  const { key } = await createKey(instance);
  const { key: gateway } = (
    await instance.call('POST', '/v1/management-keys', {
      body: { name: 'gateway', permissions: ['keys:verify'] },
    })
  ).body;
  for (const name of ['X-ACME-Key', 'x-acme-key', 'X-Acme-KEY']) {
    const headers = { [name]: key, 'x-keyward-authorization': `Bearer ${gateway}` };
    const answer = await instance.call('GET', '/v1/authorize', { as: null, headers });
    expect(answer.status).toBe(200);
  }
});

it.each([undefined, 'root-key-that-was-set-0123456789abcdef'])(
  'with the root key %s nothing else is taken for it',
  async (rootKey) => {
    const instance = await launched({ rootKey });
    for (const as of ['undefined', 'null', '', ' ', 'root', `${rootKey}x`]) {
      expect((await instance.call('GET', '/v1/keys', { as })).status).toBe(401);
    }
    const own = await instance.call('GET', '/v1/keys', { as: rootKey ?? null });
    expect(own.status).toBe(rootKey ? 200 : 401);
  },
);

it('an instance drops the feed rows of a future that its database never had when it starts', async () => {
  const future = `(pg_current_xact_id()::text::bigint + 1000000)::text::xid8`;
  await client.query(
    `insert into change_feed (txid, kind, id) values (${future}, 'key', 'of the future')`,
  );
  await client.query(`update feed_pruned set below = ${future}`);
  await launched();
  const left = await client.query(`select from change_feed where id = 'of the future'`);
  expect(left.rowCount).toBe(0);
  const { rows } = await client.query('select below::text from feed_pruned');
  expect(rows).toEqual([{ below: '0' }]);
});

it('an instance has passed a fence when it is made, so that it starts with nothing but what is true', async () => {
  const { fence } = (await launched()).service.internals;
  expect(fence.count).toBeGreaterThan(0);
  expect(fence.incarnation).toMatch(/^[0-9a-f-]{36}$/);
});

it('counts and credits that an instance writes after a restart are not taken for repetitions', async () => {
  const totals = [];
  const { id, key } = await createKey(await launched(), { credits: { remaining: 10 } });
  for (let run = 1; run <= 3; run++) {
    const instance = await launch(database.url);
    expect(await verdict(instance, key)).toBe('VALID');
    await instance.stop();
    await foldLog(client);
    const { rows } = await client.query(
      `select total::int, credits::int from key_usage join key_consumption using (key_id)
        where key_id = $1`,
      [id],
    );
    totals.push(rows[0]);
  }
  expect(totals).toEqual([
    { total: 1, credits: 9 },
    { total: 2, credits: 8 },
    { total: 3, credits: 7 },
  ]);
});

it('with KEYWARD_USAGE_FLUSH_MS=0 a verification of an unknown key is counted before its answer, too', async () => {
  const instance = await launched({ usageFlushMs: 0 });
  const body = { key: 'unknown', workspaceId: 'default' };
  await instance.call('POST', '/v1/verify', { body });
  const count = `select sum(count)::int as count from usage_unmatched where workspace_id = 'default'`;
  await foldLog(client);
  expect((await client.query(count)).rows).toEqual([{ count: 1 }]);
});

it('keys with credits are verified also after Postgres has lost its memory in a crash', async () => {
  const instance = await launched();
  const { key } = await createKey(instance, { credits: { remaining: 10 } });
  expect(await verdict(instance, key)).toBe('VALID');
  // Recovery empties this table, since it is UNLOGGED.
  await client.query('delete from incarnation');
  expect(await verdict(instance, key)).toBe('VALID');
});
