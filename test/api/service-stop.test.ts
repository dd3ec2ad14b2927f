import { once } from 'node:events';
import type pg from 'pg';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY, type TestSettings } from '../support/instance.ts';
import { head, RawConnection, statuses } from '../support/raw-http.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';
import { foldLog } from '../support/usage-log.ts';

/** How much later than asked for a timer may fire on a busy machine. */
const LATE_MS = 1500;
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
  const fence = holdFences(instance);
  const answer = ask(url, key);
  await fence.reached;
  const stopped = instance.service.stop();
  await expect.poll(() => refuses(url), UNDER_STOP).toBe(true);
  expect(await totalOf(id)).toBe(0);
  fence.release();
  expect(await (await answer).json()).toMatchObject({ code: 'VALID' });
  expect(await stopped).toBe(true);
  expect(await totalOf(id)).toBe(2);
});

it('a stop gives half of its time to requests, three tenths to counters and a tenth to connections, and then goes on', async () => {
  const { instance, url } = await listening({ shutdownSeconds: 3 });
  await verdict(instance, 'counted');
  const fence = holdFences(instance);
  const unanswered = ask(url, 'unknown').catch(() => {});
  await fence.reached;
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
  fence.release();
  await unanswered;
});

it('a stop without time for a request closes its connection before it stops counting, so that no client is answered uncounted', async () => {
  const { instance, url } = await listening({ shutdownSeconds: 1 });
  const { id, key } = await createKey(instance);
  await verdict(instance, key);
  const fence = holdFences(instance);
  const answer = ask(url, key).then(
    () => 'answered',
    () => 'closed',
  );
  await fence.reached;
  const stopped = instance.service.stop();
  const outcomes = () => phasesOf(instance).map(({ phase, msg }) => [phase, msg]);
  await expect
    .poll(outcomes, UNDER_STOP)
    .toEqual(expect.arrayContaining([['requests', 'did not stop cleanly']]));
  await stopped;
  fence.release();
  expect(await answer).toBe('closed');
  expect(await totalOf(id)).toBe(1);
});

const CALL = {
  Authorization: `Bearer ${ROOT_KEY}`,
  'Content-Type': 'application/json',
  'Content-Length': 15,
};
const GATEWAY = { 'X-Keyward-Authorization': `Bearer ${ROOT_KEY}` };

it.each([
  ['has sent nothing', ''],
  ['has sent half of its headers', 'GET /livez HTTP/1.1\r\nHost: a\r\n'],
  ['has sent half of its body', `${head('POST /v1/verify', CALL)}{`],
  [
    'was answered before its body arrived',
    head('POST /v1/authorize', { ...GATEWAY, 'X-Api-Key': 'x', 'Content-Length': 15 }),
  ],
  ['reads no answer', head('GET /docs/static/swagger-ui-bundle.js').repeat(16)],
])('a stop is clean after about a second although a client %s', async (_, text) => {
  const { instance, url } = await listening();
  const accepted = once(instance.service.app.server, 'connection');
  const client = await RawConnection.open(Number(new URL(url).port));
  const [socket] = await accepted;
  if (text.includes('bundle')) client.socket.pause();
  client.send(text);
  await expect.poll(() => socket.bytesRead, UNDER_STOP).toBe(text.length);
  if (text.includes('authorize')) await client.until(/NOT_FOUND/);
  const began = performance.now();
  expect(await instance.service.stop()).toBe(true);
  expect(performance.now() - began).toBeLessThan(1000 + 2 * LATE_MS);
});

it('a client whose body arrives soon after the begin of a stop is answered', async () => {
  const { instance, url } = await listening();
  const client = await RawConnection.open(Number(new URL(url).port));
  client.send(head('POST /v1/verify', { ...CALL, Expect: '100-continue' }));
  await client.until(/100 Continue/);
  const stopped = instance.service.stop();
  await expect.poll(() => refuses(url), UNDER_STOP).toBe(true);
  client.send('{"key": "none"}');
  expect(statuses(await client.untilEnded())).toEqual([100, 200]);
  expect(await stopped).toBe(true);
});

it.each([
  ['a call', head('GET /v1/keys', { Authorization: `Bearer ${ROOT_KEY}` }), []],
  [
    'a question of a gateway',
    head('GET /v1/authorize', GATEWAY),
    ['x-keyward-code: UNAVAILABLE', 'x-keyward-status: 503'],
  ],
  ['a call of nothing', head('GET /nothing'), []],
])(
  '%s that arrives on an open connection during a stop is refused as UNAVAILABLE, with Retry-After',
  async (_, text, headers) => {
    const { instance, url } = await listening();
    const client = await RawConnection.open(Number(new URL(url).port));
    client.send(head('POST /v1/verify', { ...CALL, Expect: '100-continue' }));
    await client.until(/100 Continue/);
    const stopped = instance.service.stop();
    await expect.poll(() => refuses(url), UNDER_STOP).toBe(true);
    client.send(`{"key": "none"}${text}`);
    const received = await client.untilEnded();
    expect(statuses(received)).toEqual([100, 200, 503]);
    const refusal = received.slice(received.lastIndexOf('HTTP/1.1'));
    for (const line of [
      ...headers,
      'retry-after: 1',
      'cache-control: no-store',
      'x-request-id: req_',
      'content-type: application/problem+json',
      'connection: close',
    ]) {
      expect(refusal.toLowerCase()).toContain(line.toLowerCase());
    }
    expect(refusal).toContain('"code":"UNAVAILABLE"');
    expect(await stopped).toBe(true);
  },
);

/** Holds the answers of fences back; a verification waits for one. */
function holdFences({ service }: Instance) {
  const [reached, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  interceptQuery(service.internals.database, 'fence', async (send) => {
    const rows = await send();
    reached.resolve();
    await opened.promise;
    return rows;
  });
  return { reached: reached.promise, release: () => opened.resolve() };
}

function refuses(url: string): Promise<boolean> {
  return fetch(`${url}/livez`).then(
    ({ ok }) => !ok,
    () => true,
  );
}
