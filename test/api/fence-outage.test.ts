import { sql } from 'drizzle-orm';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { startCacheFixture } from '../support/cache-fixture.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { firstVerdict } from '../support/first-verdict.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createKey, verdict, verify } from '../support/sql-keys.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { warmKey } from '../support/warm.ts';

const BACK = { timeout: 20_000, interval: 20 };
const CONNECTIONS_OF_VERIFICATION = 6;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});

async function launchBehindProxy(): Promise<{ proxy: TcpProxy; instance: Instance }> {
  const proxy = await TcpProxy.open(database.url);
  const instance = await launch(proxy.url);
  onTestFinished(instance.stop);
  return { proxy, instance };
}

const comesBack = (instance: Instance, key: string) =>
  expect.poll(() => verdict(instance, key), BACK).toBe('VALID');

describe('while Postgres is away', () => {
  it('a verification during an outage answers 503 problem+json with Retry-After, for cached and uncached keys', async () => {
    const { proxy, instance } = await launchBehindProxy();
    const [known, unknown] = [await createKey(instance), await createKey(instance)];
    expect(await verdict(instance, known.key)).toBe('VALID');
    proxy.cut();
    for (const { key } of [known, unknown, known]) {
      const answer = await verify(instance, key);
      expect(answer.status).toBe(503);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect(answer.body).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    }
    proxy.restore();
    await comesBack(instance, known.key);
  });

  it('an outage logs at most one line a second for refused requests, whatever their route, and one stack', async () => {
    const { proxy, instance } = await launchBehindProxy();
    const { key } = await createKey(instance);
    proxy.cut();
    const started = performance.now();
    const from = instance.logLines.length;
    for (let round = 0; round < 50; round++) {
      const gateway = { 'x-keyward-authorization': `Bearer ${ROOT_KEY}`, 'x-api-key': key };
      const answers = await Promise.all([
        verify(instance, key),
        instance.call('GET', '/v1/keys'),
        instance.call('GET', '/v1/authorize', { as: null, headers: gateway }),
        instance.call('POST', '/v1/verify/batch', { body: { requests: [{ key }] } }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503]);
    }
    const seconds = Math.ceil((performance.now() - started) / 1000);
    const lines = instance.logLines.slice(from);
    expect(lines.length).toBeLessThanOrEqual(1 + seconds);
    expect(lines.filter((line) => line.includes('"stack"'))).toHaveLength(1);
  });

  it('many verifications during an outage are refused at once, with few queries and few connection attempts', async () => {
    const { proxy, instance } = await launchBehindProxy();
    const keys = await Promise.all(Array.from({ length: 20 }, () => createKey(instance)));
    expect(await verdict(instance, keys[0]?.key ?? '')).toBe('VALID');
    proxy.cut();
    expect((await verify(instance, keys[0]?.key ?? '')).status).toBe(503);
    const fences = await metric(instance, 'keyward_fences_total');
    const loads = await metric(instance, 'keyward_credential_loads_total');
    const { attempts } = proxy;
    const started = performance.now();
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(keys.map(({ key }) => verify(instance, key)));
      for (const { status } of answers) expect(status).toBe(503);
    }
    // At most one attempt every 100 ms, each with a load beside it.
    const tries = Math.ceil((performance.now() - started) / 100) + 1;
    expect(await metric(instance, 'keyward_fences_total')).toBeLessThanOrEqual(fences + tries);
    expect(await metric(instance, 'keyward_credential_loads_total')).toBeLessThanOrEqual(
      loads + tries,
    );
    expect(proxy.attempts - attempts).toBeLessThanOrEqual(2 * tries);
    proxy.restore();
    await comesBack(instance, keys[0]?.key ?? '');
  });

  it('a revocation during an outage is known as soon as the database answers again', async () => {
    const { proxy, instance } = await launchBehindProxy();
    const { id, key } = await createKey(instance);
    await warmKey(key, instance);
    proxy.cut();
    const client = await connect(database.url);
    await client.query('update keys set revoked_at = now() where id = $1', [id]);
    expect((await verify(instance, key)).status).toBe(503);
    proxy.restore();
    expect(await firstVerdict(instance, key)).toBe('REVOKED');
  });

  it('counters wait during an outage, and each is written once when the database is back', async () => {
    const { proxy, instance } = await launchBehindProxy();
    const { id, key } = await createKey(instance);
    for (let i = 0; i < 5; i++) await verdict(instance, key);
    proxy.cut();
    for (let i = 0; i < 3; i++) {
      await expect(instance.flush()).rejects.toThrow();
    }
    proxy.restore();
    await comesBack(instance, key);
    await expect.poll(() => flushed(instance), BACK).toBe(true);
    const answered = (await usageOf(instance, id)).byCode.VALID;
    expect(answered).toBeGreaterThanOrEqual(6);
    await verdict(instance, key);
    await instance.flush();
    expect((await usageOf(instance, id)).total).toBe(answered + 1);
  });
});

const flushed = (instance: Instance) =>
  instance.flush().then(
    () => true,
    () => false,
  );

async function usageOf(instance: Instance, id: string) {
  return (await instance.call('GET', `/v1/keys/${id}/usage`)).body;
}

describe('a network that falls silent', () => {
  it('a silent network refuses everyone after the first timeout at once, and loses no connection for good', async () => {
    const { proxy, instance } = await launchBehindProxy();
    const { key } = await createKey(instance);
    expect(await verdict(instance, key)).toBe('VALID');
    const own = instance.service.internals.database;
    const write = () => own.dataOrm.transaction((tx) => tx.execute(sql`select pg_sleep(0.01)`));
    await Promise.all(Array.from({ length: CONNECTIONS_OF_VERIFICATION }, write));
    proxy.silence();
    const writes = Array.from({ length: 2 * CONNECTIONS_OF_VERIFICATION }, write);
    const [answer, ...outcomes] = await Promise.all([
      verify(instance, key),
      ...writes.map((write) => write.then(String, () => 'refused')),
    ]);
    expect(answer.status).toBe(503);
    expect(new Set(outcomes)).toEqual(new Set(['refused']));
    proxy.restore();
    await comesBack(instance, key);
    await Promise.all(Array.from({ length: 3 * CONNECTIONS_OF_VERIFICATION }, write));
  });
});

describe('a connection that is lost within a transaction', () => {
  it('a connection that is lost within a transaction fails that transaction alone, and resets the cache', async () => {
    const { database: own, fence, feed } = await startCacheFixture(database.url);
    onTestFinished(() => own.close());
    const client = await connect(database.url);
    const lost = own.orm.transaction(async (tx) => {
      const { rows } = await tx.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
      await client.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await expect
        .poll(() => fence.waitUntilFresh().then(() => feed.resets), BACK)
        .toBeGreaterThan(1);
      await tx.execute(sql`select 1`);
    });
    await expect(lost).rejects.toThrow();
    expect((await own.orm.execute(sql`select 1 as one`)).rows).toEqual([{ one: 1 }]);
  });

  it('a connection that is still within a transaction is not returned to the pool', async () => {
    const proxy = await TcpProxy.open(database.url);
    const own = new Database({ url: proxy.url, poolSize: 2, preparedStatements: true });
    onTestFinished(() => own.close());
    proxy.cutAfter('commit');
    await expect(own.orm.transaction((tx) => tx.execute(sql`select 1`))).rejects.toThrow();
    // Within a transaction, `now()` is older than the statement.
    const isFresh = sql`select now() = statement_timestamp() as fresh`;
    for (let i = 0; i < 4; i++)
      expect((await own.orm.execute(isFresh)).rows).toEqual([{ fresh: true }]);
  });
});
