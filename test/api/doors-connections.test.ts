import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startStartupServer } from '../../src/http/startup-server.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { metric, usedBounds } from '../support/metrics.ts';
import { head, listen, portOf, RawConnection, statuses } from '../support/raw-http.ts';

const PER_ADDRESS = 8;

let database: TestDatabase;
let instance: Instance;
let port: number;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url, { maxConnectionsPerAddress: PER_ADDRESS });
  port = await listen(instance);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

async function answerTo(text: string): Promise<string> {
  const connection = await RawConnection.open(port);
  connection.send(text);
  return connection.untilEnded();
}

const CLOSE = { Connection: 'close' };
const VERIFY = {
  'Content-Type': 'application/json',
  Authorization: `Bearer ${ROOT_KEY}`,
  'Content-Length': 11,
};

/** The times are read at each check of the connections, which is the one that is configured. */
async function withTimes(headersMs: number, requestMs: number, work: () => Promise<void>) {
  const { server } = instance.service.app;
  const { headersTimeout, requestTimeout } = server;
  expect([headersTimeout, requestTimeout, server.timeout]).toEqual([10_000, 30_000, 60_000]);
  Object.assign(server, { headersTimeout: headersMs, requestTimeout: requestMs });
  await work().finally(() => Object.assign(server, { headersTimeout, requestTimeout }));
}

it.each([
  ['says nothing', ''],
  ['does not end its headers', 'GET /livez HTTP/1.1\r\nHost: a\r\n'],
])('a connection that %s is closed when the time for headers is over', async (_, text) => {
  await withTimes(50, 60_000, async () => {
    expect(statuses(await answerTo(text))).toEqual([408]);
  });
});

it('a request whose body does not arrive is answered 408 when its time is over', async () => {
  await withTimes(40, 50, async () => {
    expect(statuses(await answerTo(`${head('POST /v1/verify', VERIFY)}{`))).toEqual([408]);
  });
});

it('a connection beyond the bound of its address is closed at once, and those below it go on', async () => {
  const open = [];
  for (let i = 0; i < PER_ADDRESS; i++) open.push(await RawConnection.open(port));
  expect(await metric(instance, 'keyward_bound_used{bound="connections_of_one_address"}')).toBe(8);
  expect(await answerTo(head('GET /livez'))).toBe('');
  for (const connection of open) {
    connection.send(head('GET /livez', CLOSE));
    expect(statuses(await connection.untilEnded())).toEqual([200]);
  }
  await expect
    .poll(() => metric(instance, 'keyward_bound_used{bound="connections"}'), { interval: 5 })
    .toBe(0);
  expect(statuses(await answerTo(head('GET /livez', CLOSE)))).toEqual([200]);
});

it('the startup server has the same bounds', async () => {
  const app = await startStartupServer({
    ...{ host: '127.0.0.1', port: 0, maxConnectionsPerAddress: 1 },
    memory: { connections: 10 },
  });
  const first = await RawConnection.open(portOf(app));
  const second = await RawConnection.open(portOf(app));
  expect(await second.untilEnded()).toBe('');
  first.send(head('GET /v1/keys', CLOSE));
  const answer = await first.untilEnded();
  expect(statuses(answer)).toEqual([503]);
  expect(answer).toContain('cache-control: no-store');
  expect([app.server.headersTimeout, app.server.requestTimeout]).toEqual([10_000, 30_000]);
  await app.close();
});

it('a few requests may wait on one connection; one with too many of them is closed', async () => {
  const pipelined = (count: number) =>
    `${head('POST /v1/verify', VERIFY)}{"key":"x"}`.repeat(count) + head('GET /livez', CLOSE);
  expect(statuses(await answerTo(pipelined(10)))).toHaveLength(11);
  expect(statuses(await answerTo(pipelined(30)))).toEqual([]);
});

const openRequests = async () => (await usedBounds(instance)).get('open_requests');

it('of the pages that a client asks for without reading them, one at a time is answered', async () => {
  const accepted = once(instance.service.app.server, 'connection');
  const connection = await RawConnection.open(port);
  const [socket] = await accepted;
  connection.socket.pause();
  const text = head('GET /docs/static/swagger-ui-bundle.js').repeat(16);
  connection.send(text);
  await expect.poll(() => socket.bytesRead, { interval: 5 }).toBe(text.length);
  await expect.poll(() => socket.writableLength, { interval: 5 }).toBeGreaterThan(0);
  expect(socket.writableLength).toBeLessThan(2_000_000);
  expect(await openRequests()).toBe(1);
  connection.socket.resume();
  await expect.poll(() => statuses(connection.received), { interval: 5 }).toHaveLength(16);
  expect(new Set(statuses(connection.received))).toEqual(new Set([200]));
});

it('a page that is asked for with a body behind an unanswered request ends the connection', async () => {
  const page = head('GET /openapi.json');
  expect(statuses(await answerTo(page + head('GET /', { 'Content-Length': 1 })))).toEqual([]);
});

const AUTHORIZED = { Authorization: `Bearer ${ROOT_KEY}` };

it.each([
  ['pages', head('GET /docs/')],
  ['calls', head('GET /v1/keys', AUTHORIZED)],
  ['bodies', `${head('POST /v1/keys/import', { ...VERIFY, 'Content-Length': 12 })}{"keys":[1]}`],
])(
  'the places of %s that waited on a connection are free again once it is closed',
  async (_, request) => {
    for (const count of [12, 18]) {
      const connection = await RawConnection.open(port);
      connection.send(request.repeat(count));
      if (count === 12) await connection.until(/HTTP/);
      connection.destroy();
    }
    const held = ['connections', 'requests', 'open_requests', 'body_bytes', 'management_waiting'];
    await expect
      .poll(
        async () => {
          const used = await usedBounds(instance);
          return held.map((name) => used.get(name));
        },
        { interval: 5 },
      )
      .toEqual(held.map(() => 0));
  },
);

it.each([
  ['HTTP/1.1 without a host', 'GET /livez HTTP/1.1\r\n\r\n', 400, 'MALFORMED_HTTP'],
  [
    'two different hosts',
    'GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n',
    400,
    'INVALID_REQUEST',
  ],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
  ['TRACE', head('TRACE /v1/keys', CLOSE), 405, 'METHOD_NOT_ALLOWED'],
  ['OPTIONS', head('OPTIONS /v1/keys', CLOSE), 405, 'METHOD_NOT_ALLOWED'],
  [
    'two types of a body',
    `${head('POST /v1/verify', { ...VERIFY, ...CLOSE }).replace('\r\n\r\n', '\r\nContent-Type: text/plain\r\n\r\n')}{"key":"x"}`,
    400,
    'INVALID_REQUEST',
  ],
])('%s is refused with a problem', async (_, text, status, code) => {
  const answer = await answerTo(text);
  expect(statuses(answer)).toEqual([status]);
  expect(answer).toContain(`"code":"${code}"`);
  expect(answer.toLowerCase()).toContain('cache-control: no-store');
});

it('HTTP/1.0 needs no host', async () => {
  expect(statuses(await answerTo('GET /livez HTTP/1.0\r\n\r\n'))).toEqual([200]);
});

it('a URL in absolute form is the same call, and needs the same caller', async () => {
  const url = 'http://keyward/v1/keys';
  expect(statuses(await answerTo(head(`GET ${url}`, CLOSE)))).toEqual([401]);
  const known = { ...CLOSE, Authorization: `Bearer ${ROOT_KEY}` };
  expect(statuses(await answerTo(head(`GET ${url}`, known)))).toEqual([200]);
});

it('a request to upgrade is answered as if it had not asked, and its caller is authenticated', async () => {
  const upgrade = { Upgrade: 'h2c', Connection: 'Upgrade' };
  const connection = await RawConnection.open(port);
  connection.send(head('GET /v1/keys', upgrade));
  expect(statuses(await connection.until(/UNAUTHENTICATED/))).toEqual([401]);
  connection.send(head('GET /livez', CLOSE));
  expect(statuses(await connection.untilEnded())).toEqual([401, 200]);
});

it('no header is dropped for being one of many', async () => {
  const many = 'a: b\r\n'.repeat(2500);
  const text = `GET /v1/keys?limit=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${many}`;
  const answer = await answerTo(`${text}Authorization: Bearer ${ROOT_KEY}\r\n\r\n`);
  expect(statuses(answer)).toEqual([200]);
});
