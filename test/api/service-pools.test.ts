import { createHash } from 'node:crypto';
import type pg from 'pg';
import { beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import type { Orm } from '../../src/db/database.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { launchForTest, type TestSettings } from '../support/instance.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const MANAGEMENT_CONNECTIONS = 2;
const VERIFICATION_CONNECTIONS = 6;
const SOON = { timeout: 10_000 };

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
});

const launched = (settings: TestSettings = {}) =>
  launchForTest(database.url, { poolSize: MANAGEMENT_CONNECTIONS, ...settings });

/** Takes connections and gives them back when the test ends. */
async function occupy(orm: Orm, count: number): Promise<void> {
  const gate = Promise.withResolvers<void>();
  const holders: Promise<void>[] = [];
  for (let taken = 0; taken < count; taken++) {
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    const holder = orm.transaction(async () => {
      resolve();
      await gate.promise;
    });
    holders.push(holder);
    await reached;
  }
  onTestFinished(async () => {
    gate.resolve();
    await Promise.all(holders);
  });
}

const count = async (query: string, ...values: unknown[]) =>
  (await client.query(query, values)).rowCount;

it('verification, its quotas, proofs, rehashing and counters go on while all management connections are busy', async () => {
  const maker = await launched({ secret: 'another-secret-of-the-pools-0123456789' });
  const plain = await createKey(maker);
  const limited = await createKey(maker, { credits: { remaining: 3 } });
  const value = createHash('sha256').update('imported').digest('hex');
  const keys = [{ name: 'imported', hash: { algorithm: 'sha256', value } }];
  await maker.call('POST', '/v1/keys/import', { body: { keys } });
  const instance = await launched();
  await occupy(instance.service.internals.database.orm, MANAGEMENT_CONNECTIONS);

  const proofs = 'select from secret_proofs where position(ref in $1) > 0 and pepper_id <> $2';
  const { rows } = await client.query(
    'select pepper_id from secret_proofs where position(ref in $1) > 0',
    [plain.key],
  );
  for (const key of [plain.key, limited.key, 'imported', 'unknown']) {
    expect(await verdict(instance, key)).toBe(key === 'unknown' ? 'NOT_FOUND' : 'VALID');
  }
  await expect.poll(() => count(proofs, plain.key, rows[0].pepper_id), SOON).toBe(1);
  const rehashed = `select from secrets join keys on keys.id = key_id
                     where name = 'imported' and hash like '$argon2id$%'`;
  await expect.poll(() => count(rehashed), SOON).toBe(1);
  await instance.flush();
  expect(await count('select from key_usage where key_id = $1 and total > 0', limited.id)).toBe(1);
});

it('management calls are made while all connections of verification are busy', async () => {
  const instance = await launched();
  const { id } = await createKey(instance);
  await occupy(instance.service.internals.database.dataOrm, VERIFICATION_CONNECTIONS);
  const calls: [string, string, object | undefined][] = [
    ['POST', '/v1/keys', { name: 'made meanwhile' }],
    ['GET', '/v1/keys', undefined],
    ['GET', `/v1/keys/${id}`, undefined],
    ['GET', `/v1/keys/${id}/usage`, undefined],
    ['PATCH', `/v1/keys/${id}`, { name: 'renamed' }],
    ['POST', `/v1/keys/${id}/rotate`, { graceSeconds: 60 }],
    ['PUT', '/v1/workspaces/made-meanwhile', {}],
    ['GET', '/v1/workspaces', undefined],
    ['POST', '/v1/management-keys', { name: 'm', permissions: ['keys:read'] }],
    ['GET', '/v1/management-keys', undefined],
    ['GET', '/v1/audit-events', undefined],
    ['GET', '/v1/audit-events/head', undefined],
    ['POST', `/v1/keys/${id}/revoke`, {}],
  ];
  for (const [method, url, body] of calls) {
    const { status } = await instance.call(method, url, body === undefined ? {} : { body });
    expect({ method, url, done: status < 300 }).toEqual({ method, url, done: true });
  }
});
