import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import type pg from 'pg';
import { beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY, type TestSettings } from '../support/instance.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';
import { foldLog } from '../support/usage-log.ts';

/** How much later than asked for a timer may fire on a busy machine. */
const LATE_MS = 550;
const UNDER_STOP = { timeout: 10_000, interval: 10 };

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
});

/** An instance that really listens, since only connections of its server are waited for. */
async function listening(settings: TestSettings = {}) {
  const instance = await launch(database.url, settings);
  const url = await instance.service.app.listen({ host: '127.0.0.1', port: 0 });
  return { instance, url };
}

const ask = (url: string, key: string) =>
  fetch(`${url}/v1/verify`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ROOT_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ key }),
  });

const totalOf = async (id: string) => {
  await foldLog(client);
  const { rows } = await client.query<{ total: number }>(
    'select coalesce(sum(total), 0)::int as total from key_usage where key_id = $1',
    [id],
  );
  return rows[0]?.total;
};

const connections = async () => {
  const { rowCount } = await client.query(
    `select from pg_stat_activity where application_name = 'keyward' and datname = current_database()`,
  );
  return rowCount;
};

/** What the log says of each phase of the stop, in order. */
const phasesOf = ({ logLines }: Instance) =>
  logLines.map((line) => JSON.parse(line)).filter(({ phase }) => phase !== undefined);

it('a stop ends requests, then counters, then connections, and says of each that it went well', async () => {
  const { instance, url } = await listening();
  const { key } = await createKey(instance);
  expect(await (await ask(url, key)).json()).toMatchObject({ code: 'VALID' });
  expect(await instance.service.stop()).toBe(true);
  expect(phasesOf(instance).map(({ phase, msg }) => [phase, msg])).toEqual([
    ['requests', 'stopped'],
    ['counters', 'stopped'],
    ['connections', 'stopped'],
  ]);
});

it('a stop closes all connections to the database', async () => {
  const { instance } = await listening();
  const { key } = await createKey(instance);
  await verdict(instance, key);
  await instance.call('GET', '/v1/keys');
  expect(await connections()).toBeGreaterThanOrEqual(2);
  await instance.stop();
  await expect.poll(connections, UNDER_STOP).toBe(0);
});

it('a request that is under way when a stop begins is answered and counted', async () => {
  const { instance, url } = await listening();
  const { id, key } = await createKey(instance);
  await verdict(instance, key);
  const [reached, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  interceptQuery(instance.service.internals.database, 'fence', async (send) => {
    reached.resolve();
    await opened.promise;
    return send();
  });
  const answer = ask(url, key);
  await reached.promise;
  const stopped = instance.service.stop();
  await expect.poll(() => refuses(url), UNDER_STOP).toBe(true);
  expect(await totalOf(id)).toBe(0);
  opened.resolve();
  expect(await (await answer).json()).toMatchObject({ code: 'VALID' });
  expect(await stopped).toBe(true);
  expect(await totalOf(id)).toBe(2);
});

it('a stop gives half of its time to requests, three tenths to counters and a tenth to connections, and then goes on', async () => {
  const { instance, url } = await listening({ shutdownSeconds: 3 });
  await verdict(instance, 'counted');
  const socket = await openUnfinishedRequest(url);
  const gate = Promise.withResolvers<void>();
  await client.query('begin; lock table usage_log in access exclusive mode');
  const { promise: held, resolve } = Promise.withResolvers<void>();
  const holding = instance.service.internals.database.orm.transaction(async () => {
    resolve();
    await gate.promise;
  });
  await held;

  expect(await instance.service.stop()).toBe(false);
  const phases = phasesOf(instance);
  expect(phases.map(({ phase, msg }) => [phase, msg])).toEqual([
    ['requests', 'did not stop cleanly'],
    ['counters', 'did not stop cleanly'],
    ['connections', 'did not stop cleanly'],
  ]);
  for (const [index, shareMs] of [1500, 900, 300].entries()) {
    expect(phases[index].durationMs).toBeGreaterThanOrEqual(shareMs - 10);
    expect(phases[index].durationMs).toBeLessThan(shareMs + LATE_MS);
  }
  await client.query('rollback');
  gate.resolve();
  await holding;
  socket.destroy();
});

/** One whose body has yet to come: a stop has to wait for it. */
async function openUnfinishedRequest(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = dial(Number(port), hostname);
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on('error', () => {});
  const head = 'POST /v1/verify HTTP/1.1\r\nhost: keyward\r\ncontent-type: application/json\r\n';
  socket.write(
    `${head}authorization: Bearer ${ROOT_KEY}\r\nexpect: 100-continue\r\ncontent-length: 15\r\n\r\n`,
  );
  // The interim answer tells that the server has begun with it.
  await once(socket, 'data');
  return socket;
}

function refuses(url: string): Promise<boolean> {
  return fetch(`${url}/livez`).then(
    ({ ok }) => !ok,
    () => true,
  );
}
