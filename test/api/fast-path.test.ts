import { subscribe } from 'node:diagnostics_channel';
import { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { forgeKey, readChecksumKey } from '../support/forged-key.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createManagementKey, putWorkspace } from '../support/pair.ts';
import { head, listen, RawConnection, statuses } from '../support/raw-http.ts';
import { createKey } from '../support/sql-keys.ts';
import { holdFences, interceptQuery } from '../support/statements.ts';
import { warmKey, warmManagementKey } from '../support/warm.ts';

let database: TestDatabase;
let instance: Instance;
let port: number;
/** By what the requests below name them. */
const keys = new Map<string, string>();
/** How often a handler of a route was called in this process. */
let handled = 0;
/** The last request whose headers have arrived. */
let begun: IncomingMessage | null = null;

beforeAll(async () => {
  subscribe('http.server.request.start', (message) => {
    begun = requestOf(message);
  });
  subscribe('tracing:fastify.request.handler:start', () => handled++);
  database = await createTestDatabase();
  instance = await launch(database.url);
  port = await listen(instance);
  await putWorkspace(instance, 'other');
  const verifier = await createManagementKey(instance, { permissions: ['keys:verify'] });
  const bound = { permissions: ['keys:verify'], workspaceId: 'other' } as const;
  keys.set('root', ROOT_KEY).set('verifier', verifier.key);
  keys.set('bound', (await createManagementKey(instance, bound)).key);
  keys.set('reader', (await createManagementKey(instance, { permissions: ['keys:read'] })).key);
  keys.set('full', (await createKey(instance, { scopes: ['a:b'], metadata: { née: '✓' } })).key);
  keys.set('limited', (await createKey(instance, { credits: { remaining: 10 } })).key);
  const revoked = await createKey(instance);
  for (const name of ['full', 'limited']) await warmKey(keyOf(name), instance);
  await warmKey(revoked.key, instance);
  keys.set('revoked', revoked.key);
  await instance.call('POST', `/v1/keys/${revoked.id}/revoke`);
  for (const name of ['verifier', 'bound', 'reader'])
    await warmManagementKey(keyOf(name), instance);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

function keyOf(name: string): string {
  const key = keys.get(name);
  if (key === undefined) throw new Error(`there is no ${name}`);
  return key;
}

/** Channels tell what they have as unknown. */
function requestOf(message: unknown): IncomingMessage | null {
  const request: unknown = Reflect.get(Object(message), 'request');
  return request instanceof IncomingMessage ? request : null;
}

const TYPE = { 'Content-Type': 'application/json', 'X-Request-Id': 'the-same-for-both' };
const as = (name: string) => ({ Authorization: `Bearer ${keyOf(name)}` });
const whole = (body: string, headers: object = {}) =>
  head('POST /v1/verify', { ...TYPE, 'Content-Length': body.length, ...headers }) + body;
/** Chunks are read by the handler's way alone. */
const inChunks = (body: string, headers: object = {}) =>
  head('POST /v1/verify', { ...TYPE, 'Transfer-Encoding': 'chunked', ...headers }) +
  `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

/** An answer as it was sent, but for its time, and how many handlers it took. */
async function ask(request: string): Promise<{ answer: string; handlers: number }> {
  const before = handled;
  const connection = await RawConnection.open(port);
  connection.send(request);
  const answer = await connection.until(/\r\n\r\n\{.*\}$/s);
  connection.socket.destroy();
  return { answer: answer.replace(/^date: .*\r\n/im, ''), handlers: handled - before };
}

/** Sends a verification that waits for the fence, until `release` is called. */
async function sendHeld(request: string, [held, at]: [Instance, number] = [instance, port]) {
  const release = holdFences(held.service.internals.database);
  const connection = await RawConnection.open(at);
  connection.send(request);
  await expect.poll(() => atWork(held), { interval: 5 }).toBe(1);
  return { connection, release };
}

function atWork(held: Instance): Promise<number> {
  return metric(held, 'keyward_bound_used{bound="requests"}');
}

it.each([
  ['VALID', 'verifier', { key: 'full' }],
  ['VALID', 'root', { key: 'full', requiredScopes: ['a:b'], ip: '203.0.113.7', resource: 'r' }],
  ['VALID', 'verifier', { key: 'limited', cost: 0 }],
  ['REVOKED', 'verifier', { key: 'revoked' }],
  ['INSUFFICIENT_SCOPE', 'verifier', { key: 'full', requiredScopes: ['c:d'] }],
  ['NOT_FOUND', 'bound', { key: 'full' }],
  ['NOT_FOUND', 'verifier', { key: 'no key' }],
  ['NOT_FOUND', 'verifier', { key: '' }],
])(
  'a verification that is %s is answered from memory without a handler, byte for byte as by one: as %s of %j',
  async (code, caller, { key, ...more }) => {
    const body = JSON.stringify({ key: keys.get(key) ?? key, ...more });
    await ask(whole(body, as(caller)));
    const recalled = await ask(whole(body, as(caller)));
    expect(recalled.answer).toContain(`"code":"${code}"`);
    expect(recalled.handlers).toBe(0);
    expect(await ask(inChunks(body, as(caller)))).toEqual({ ...recalled, handlers: 1 });
  },
);

it.each([
  [400, 'verifier', '{"key":'],
  [400, 'verifier', '[]'],
  [400, 'verifier', 'null'],
  [400, 'verifier', '{}'],
  [400, 'verifier', '{"key":1}'],
  [400, 'verifier', '{"key":"x","more":1}'],
  [400, 'verifier', '{"key":"x","__proto__":{}}'],
  [400, 'verifier', '{"key":"x","ip":"no address"}'],
  [400, 'verifier', '\xff'],
  [400, 'verifier', '{"key":"Bearer x"}'],
  [403, 'reader', '{"key":"x"}'],
  [404, 'bound', '{"key":"x","workspaceId":"default"}'],
])(
  'a request that is refused with %i is refused alike, whole or in chunks: as %s %s',
  async (status, caller, body) => {
    const answers = [await ask(whole(body, as(caller))), await ask(inChunks(body, as(caller)))];
    const texts = answers.map(({ answer }) => answer);
    expect(statuses(texts.join(''))).toEqual([status, status]);
    expect(texts[0]).toBe(texts[1]);
  },
);

it.each([
  [415, { 'Content-Type': 'text/plain' }, ''],
  [415, { 'Content-Type': 'application/json; charset=latin1' }, ''],
  [415, { 'Content-Encoding': 'gzip' }, ''],
  [400, {}, '?key=x'],
])(
  'a known key is refused with %i for its headers %j or its query "%s"',
  async (status, headers, query) => {
    const request = whole(JSON.stringify({ key: keyOf('full') }), {
      ...as('verifier'),
      ...headers,
    });
    const { answer } = await ask(request.replace('/v1/verify ', `/v1/verify${query} `));
    expect(statuses(answer)).toEqual([status]);
  },
);

it.each([
  'Application/JSON',
  'application/json;charset=UTF-8',
  'application/json; charset="utf-8"',
])('a known key is VALID with the content type %s too', async (type) => {
  const body = JSON.stringify({ key: keyOf('full') });
  const { answer } = await ask(whole(body, { ...as('verifier'), 'Content-Type': type }));
  expect(answer).toContain('"code":"VALID"');
});

it('a key that memory does not know takes one handler and one load, and is counted once, as is its caller', async () => {
  const { id, key } = await createKey(instance);
  const caller = await createManagementKey(instance, { permissions: ['keys:verify'] });
  await warmManagementKey(caller.key, instance);
  const sql = await connect(database.url);
  const totals = async () => {
    await instance.flush();
    const { rows } = await sql.query<{ id: string; total: number }>(
      'select key_id as id, sum(total)::int as total from key_usage where key_id = any($1) group by 1',
      [[id, caller.id]],
    );
    return new Map(rows.map((row) => [row.id, row.total]));
  };
  const loads = await metric(instance, 'keyward_credential_loads_total');
  const before = (await totals()).get(caller.id) ?? 0;
  const body = JSON.stringify({ key });
  const authorization = { Authorization: `Bearer ${caller.key}` };
  expect((await ask(whole(body, authorization))).handlers).toBe(1);
  expect(await metric(instance, 'keyward_credential_loads_total')).toBe(loads + 1);
  expect(await totals()).toEqual(
    new Map([
      [id, 1],
      [caller.id, before + 1],
    ]),
  );
  expect((await ask(whole(body, authorization))).handlers).toBe(0);
  expect(await totals()).toEqual(
    new Map([
      [id, 2],
      [caller.id, before + 2],
    ]),
  );
});

it('a string that memory has not proven yet costs one fence, whatever memory knows of its ref', async () => {
  const checksumKey = await readChecksumKey(database.url);
  const { key } = await createKey(instance);
  await warmKey(key, instance);
  const wrong = forgeKey('ak_live', key.slice(-65, -49), checksumKey);
  const fences = await metric(instance, 'keyward_fences_total');
  const { answer, handlers } = await ask(whole(JSON.stringify({ key: wrong }), as('verifier')));
  expect(answer).toContain('"code":"NOT_FOUND"');
  expect(handlers).toBe(1);
  expect(await metric(instance, 'keyward_fences_total')).toBe(fences + 1);
  const again = await ask(whole(JSON.stringify({ key: wrong }), as('verifier')));
  expect(again).toEqual({ answer, handlers: 0 });
});

it('verifications that are sent at once over one connection are answered in their order', async () => {
  const connection = await RawConnection.open(port);
  const asked = ['full', 'revoked', 'full'];
  const bodies = asked.map((name) => JSON.stringify({ key: keyOf(name) }));
  connection.send(bodies.map((body) => whole(body, as('verifier'))).join(''));
  const answers = await connection.until(/(?:HTTP.*){3}\}$/s);
  const codes = [...answers.matchAll(/"code":"(\w+)"/g)].map(([, code]) => code);
  expect(codes).toEqual(['VALID', 'REVOKED', 'VALID']);
});

it('a verification that waits for the fence has a place, which is free once it is answered or the client has gone', async () => {
  const request = whole(JSON.stringify({ key: keyOf('full') }), as('verifier'));
  const { connection: stays, release } = await sendHeld(request);
  const leaves = await RawConnection.open(port);
  leaves.send(request);
  await expect.poll(() => atWork(instance), { interval: 5 }).toBe(2);
  leaves.socket.destroy();
  release();
  expect(await stays.until(/\}$/)).toContain('"code":"VALID"');
  await expect.poll(() => atWork(instance), { interval: 5 }).toBe(0);
});

it('a verification whose body arrives after its headers is answered by a handler, and alike', async () => {
  const request = whole(JSON.stringify({ key: keyOf('full') }), as('verifier'));
  const recalled = await ask(request);
  const end = request.indexOf('\r\n\r\n') + 10;
  begun = null;
  const before = handled;
  const connection = await RawConnection.open(port);
  connection.send(request.slice(0, end));
  await expect.poll(() => begun, { interval: 5 }).not.toBeNull();
  connection.send(request.slice(end));
  const answer = await connection.until(/\r\n\r\n\{.*\}$/s);
  expect(answer.replace(/^date: .*\r\n/im, '')).toBe(recalled.answer);
  expect(handled).toBe(before + 1);
});

it('a verification that fails when it may have consumed is refused once, and not done again', async () => {
  let sent = 0;
  const restore = interceptQuery(instance.service.internals.database, 'consume_limits', () => {
    sent++;
    throw Object.assign(new Error('a message with a value'), { code: 'P0001' });
  });
  onTestFinished(restore);
  const request = whole(JSON.stringify({ key: keyOf('limited') }), as('verifier'));
  const { answer, handlers } = await ask(request);
  expect(statuses(answer)).toEqual([500]);
  expect(answer).not.toContain('a message with a value');
  expect({ sent, handlers }).toEqual({ sent: 1, handlers: 0 });
  await expect.poll(() => begun?.destroyed, { interval: 5 }).toBe(true);
});

it('a verification of a caller with a maximum is answered by its route, which alone counts calls', async () => {
  const { key } = await createManagementKey(instance, {
    permissions: ['keys:verify'],
    maxRequestsPerSecond: 1000,
    workspaceId: 'other',
  });
  keys.set('with a maximum', key);
  await warmManagementKey(key, instance);
  const { answer, handlers } = await ask(whole('{"key":"no key"}', as('with a maximum')));
  expect(answer).toContain('"code":"NOT_FOUND"');
  expect(handlers).toBe(1);
});

it('a request that was answered from memory is not kept by its connection, which stays open', async () => {
  const connection = await RawConnection.open(port);
  const request = whole(JSON.stringify({ key: keyOf('full') }), as('verifier'));
  connection.send(request);
  await connection.until(/"code":"VALID".*\}$/s);
  await expect.poll(() => begun?.destroyed, { interval: 5 }).toBe(true);
  expect(connection.isEnded).toBe(false);
  connection.send(request);
  await connection.until(/(?:"code":"VALID".*){2}\}$/s);
});

it('a key that is changed while its verification waits for the fence is verified as changed, by a handler', async () => {
  const { id, key } = await createKey(instance);
  await warmKey(key, instance);
  const { connection, release } = await sendHeld(whole(JSON.stringify({ key }), as('verifier')));
  const sql = await connect(database.url);
  await sql.query("update keys set name = 'changed' where id = $1", [id]);
  const before = handled;
  release();
  expect(await connection.until(/\}$/)).toContain('"name":"changed"');
  expect(handled).toBe(before + 1);
});

it('a verification that waits for the fence when a stop begins is answered, though a handler has to', async () => {
  const stopped = await launch(database.url);
  const ownPort = await listen(stopped);
  const { id, key } = await createKey(instance);
  await warmKey(key, stopped);
  await warmManagementKey(keyOf('verifier'), stopped);
  const { connection, release } = await sendHeld(whole(JSON.stringify({ key }), as('verifier')), [
    stopped,
    ownPort,
  ]);
  const sql = await connect(database.url);
  await sql.query("update keys set name = 'changed' where id = $1", [id]);
  const closed = stopped.service.app.close();
  const refuses = () =>
    fetch(`http://127.0.0.1:${ownPort}/livez`).then(
      ({ ok }) => !ok,
      () => true,
    );
  await expect.poll(refuses, { interval: 5 }).toBe(true);
  release();
  expect(await connection.until(/\}$/)).toContain('"name":"changed"');
  await closed;
  await stopped.stop();
});

it('the duration of a verification that fails counts from its headers, also where a handler refuses it', async () => {
  const failing = interceptQuery(instance.service.internals.database, 'consume_limits', () => {
    throw Object.assign(new Error('a message with a value'), { code: 'P0001' });
  });
  onTestFinished(failing);
  const started = performance.now();
  const request = whole(JSON.stringify({ key: keyOf('limited') }), as('verifier'));
  const { connection, release } = await sendHeld(request);
  const waited = performance.now();
  await expect.poll(() => performance.now() - waited, { interval: 5 }).toBeGreaterThan(50);
  release();
  await connection.until(/\}$/);
  const [line] = instance.logLines.filter((each) => each.includes('"request.failed"')).slice(-1);
  const { durationMs } = JSON.parse(line ?? '{}');
  expect(durationMs).toBeGreaterThan(50);
  expect(durationMs).toBeLessThan(performance.now() - started);
});

it('a request that a handler refuses without its body, after memory was asked, is not kept by its connection', async () => {
  const { id, key } = await createManagementKey(instance, { permissions: ['keys:verify'] });
  keys.set('ends', key);
  await warmManagementKey(key, instance);
  const { connection, release } = await sendHeld(
    whole(JSON.stringify({ key: keyOf('full') }), as('ends')),
  );
  const sql = await connect(database.url);
  await sql.query('update management_keys set revoked_at = now() where id = $1', [id]);
  release();
  expect(statuses(await connection.until(/\}$/))).toEqual([401]);
  await expect.poll(() => begun?.destroyed, { interval: 5 }).toBe(true);
  expect(connection.isEnded).toBe(false);
});

it('a verification that is refused at once, since the database is away, keeps its connection, and no request', async () => {
  const restore = interceptQuery(instance.service.internals.database, 'fence', () => {
    throw new Error('away');
  });
  onTestFinished(restore);
  const connection = await RawConnection.open(port);
  const request = whole(JSON.stringify({ key: keyOf('full') }), as('verifier'));
  connection.send(request);
  await connection.until(/\}$/);
  connection.send(request);
  const received = await connection.until(/(?:HTTP.*){2}\}$/s);
  expect(statuses(received)).toEqual([503, 503]);
  expect(received).not.toMatch(/connection: close/i);
  await expect.poll(() => begun?.destroyed, { interval: 5 }).toBe(true);
  expect(connection.isEnded).toBe(false);
});
