import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { UsageCounters } from '../../src/usage/counters.ts';
import { appendToLog } from '../../src/usage/log-store.ts';
import { startCacheFixture } from '../support/cache-fixture.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { base62 } from '../support/forged-key.ts';
import { type Instance, launch, launchForTest } from '../support/instance.ts';
import { createKey, insertKey, verdict } from '../support/sql-keys.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { foldLog } from '../support/usage-log.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client(database.url);
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

/** The counts of a key in Postgres: in its hours, in its total, and in the total of its secret. */
async function written(id: string): Promise<number[]> {
  await foldLog(client);
  const { rows } = await client.query(
    `select (select coalesce(sum(count), 0)::int from usage_recent where key_id = $1) as hours,
            (select coalesce(sum(total), 0)::int from key_usage where key_id = $1) as total,
            (select coalesce(sum(u.total), 0)::int from secret_usage u
               join secrets s on s.ref = u.secret_ref where s.key_id = $1) as secrets`,
    [id],
  );
  return [rows[0].hours, rows[0].total, rows[0].secrets];
}

/** A text in the statement that writes counters. */
const WRITE = 'append_usage_log';

const thrice = (count: number) => [count, count, count];

async function verifyTimes(instance: Instance, key: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) expect(await verdict(instance, key)).toBe('VALID');
}

describe('a flush that gets no answer', () => {
  it('a flush whose answer was lost counts once when it is repeated, and later counts follow it', async () => {
    const proxy = await TcpProxy.open(database.url);
    const instance = await launchForTest(proxy.url);
    const { id, key } = await createKey(instance);
    await verifyTimes(instance, key, 3);
    proxy.cutAfter(WRITE);
    await expect(instance.flush()).rejects.toThrow();
    await expect.poll(() => written(id)).toEqual(thrice(3));
    await verifyTimes(instance, key, 2);
    await instance.flush();
    expect(await written(id)).toEqual(thrice(5));
    await instance.flush();
    expect(await written(id)).toEqual(thrice(5));
  });

  it('a flush that never reached the database counts once when it is repeated', async () => {
    const proxy = await TcpProxy.open(database.url);
    const instance = await launchForTest(proxy.url);
    const { id, key } = await createKey(instance);
    await verifyTimes(instance, key, 3);
    proxy.cutBefore(WRITE);
    await expect(instance.flush()).rejects.toThrow();
    expect(await written(id)).toEqual(thrice(0));
    await instance.flush();
    expect(await written(id)).toEqual(thrice(3));
  });
});

describe('flushes', () => {
  it('concurrent flushes on several instances write each count once', async () => {
    const instances = [await launchForTest(database.url), await launchForTest(database.url)];
    const [first] = instances;
    if (!first) throw new Error('no instance');
    const { id, key } = await createKey(first);
    for (const instance of instances) await verifyTimes(instance, key, 4);
    const flushes = instances.flatMap((instance) =>
      Array.from({ length: 5 }, () => instance.flush()),
    );
    await Promise.all(flushes);
    expect(await written(id)).toEqual(thrice(8));
  });

  it('flushes continue after the database lost the last one, and no later count is taken for a repetition', async () => {
    const instance = await launchForTest(database.url);
    const { id, key } = await createKey(instance);
    for (let i = 0; i < 3; i++) {
      await verifyTimes(instance, key, 1);
      await instance.flush();
    }
    // As after a failover to a server that had not received everything.
    const lanes = `update batch_sequences set sequence = 1 where lane = 'usage-0' and sequence = 3`;
    expect((await client.query(lanes)).rowCount).toBe(1);
    await verifyTimes(instance, key, 2);
    await instance.flush();
    expect(await written(id)).toEqual(thrice(5));
  });

  it('a flush of a batch that was written before changes nothing, whatever it contains', async () => {
    const { database: own } = await startCacheFixture(database.url);
    onTestFinished(() => own.close());
    const counters = new UsageCounters(10);
    const stream = { instance: randomUUID(), stream: 'usage-0' };
    const [id, ref] = [`key_${base62(22)}`, base62(16)];
    await insertKey(client, { id, ref });
    counters.count(id, ref, 'VALID', Date.now());
    const [batch] = counters.take();
    if (!batch) throw new Error('nothing was counted');
    for (const sequence of [1, 1, 2, 1, 2]) {
      await appendToLog(own, { ...stream, sequence }, batch);
      // A repetition has no effect either once the fold has taken the row out of the log.
      await foldLog(client);
    }
    expect(await written(id)).toEqual(thrice(2));
    await Promise.all(
      Array.from({ length: 4 }, () => appendToLog(own, { ...stream, sequence: 3 }, batch)),
    );
    expect(await written(id)).toEqual(thrice(3));
  });
});

describe('a stop', () => {
  it('a stop writes everything that was answered', async () => {
    const instance = await launch(database.url);
    const { id, key } = await createKey(instance);
    await verifyTimes(instance, key, 6);
    expect(await written(id)).toEqual(thrice(0));
    expect(await instance.service.stop()).toBe(true);
    expect(await written(id)).toEqual(thrice(6));
  });

  it('a stop writes everything even if its connections are lost at that moment', async () => {
    const proxy = await TcpProxy.open(database.url);
    const instance = await launch(proxy.url);
    const { id, key } = await createKey(instance);
    await verifyTimes(instance, key, 4);
    proxy.cutAfter(WRITE);
    expect(await instance.service.stop()).toBe(true);
    expect(await written(id)).toEqual(thrice(4));
  });
});
