import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launchForTest } from '../support/instance.ts';
import { interceptQuery } from '../support/statements.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
  onTestFinished(database.drop);
});

async function readiness(instance: Instance) {
  // A result stands for a second.
  instance.advance(1000);
  const { status, body } = await instance.call('GET', '/readyz', { as: null });
  return { status, ...body.checks };
}

it('an instance whose database answers is ready, and says what it looked at', async () => {
  const instance = await launchForTest(database.url);
  expect(await readiness(instance)).toEqual({ status: 200, database: 'ok', migrations: 'ok' });
});

it('an instance whose database is away is alive and not ready, and ready again when it is back', async () => {
  const proxy = await TcpProxy.open(database.url);
  const instance = await launchForTest(proxy.url);
  proxy.cut();
  const away = { status: 503, database: 'unavailable', migrations: 'unavailable' };
  expect(await readiness(instance)).toEqual(away);
  expect((await instance.call('GET', '/livez', { as: null })).status).toBe(200);
  proxy.restore();
  await expect.poll(async () => (await readiness(instance)).status, { timeout: 10_000 }).toBe(200);
});

it('an instance that no fence can vouch for is not ready, whatever else its database answers', async () => {
  const instance = await launchForTest(database.url);
  const sql = await connect(database.url);
  await sql.query('alter table incarnation rename to hidden');
  const blind = { status: 503, database: 'unavailable', migrations: 'ok' };
  expect(await readiness(instance)).toEqual(blind);
});

it('an instance whose schema lacks a migration is not ready; one more than it knows is fine', async () => {
  const instance = await launchForTest(database.url);
  const sql = await connect(database.url);
  const add = `insert into drizzle.__drizzle_migrations (hash, created_at) values ('newer', 1)`;
  await sql.query(add);
  expect(await readiness(instance)).toEqual({ status: 200, database: 'ok', migrations: 'ok' });
  await sql.query(`delete from drizzle.__drizzle_migrations
    where id in (select id from drizzle.__drizzle_migrations order by id limit 2)`);
  const pending = { status: 503, database: 'ok', migrations: 'pending' };
  expect(await readiness(instance)).toEqual(pending);
});

it('an instance that has as much to do as it may is still asked whether it is ready', async () => {
  const instance = await launchForTest(database.url, { maxInFlight: 1 });
  const gate = Promise.withResolvers<void>();
  const asking = Promise.withResolvers<void>();
  const release = interceptQuery(instance.service.internals.database, 'fence', async (send) => {
    asking.resolve();
    await gate.promise;
    return send();
  });
  const verification = instance.call('POST', '/v1/verify', { body: { key: 'unknown' } });
  await asking.promise;
  expect((await instance.call('GET', '/v1/keys')).body.code).toBe('OVERLOADED');
  release();
  const asked = readiness(instance);
  gate.resolve();
  expect(await asked).toEqual({ status: 200, database: 'ok', migrations: 'ok' });
  expect((await verification).status).toBe(200);
});
