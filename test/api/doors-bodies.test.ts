import { afterAll, beforeAll, expect, it } from 'vitest';
import { memoryBudget } from '../../src/lib/memory-budget.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { base62, forgeKey, readChecksumKey } from '../support/forged-key.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { metric } from '../support/metrics.ts';
import { createManagementKey, putWorkspace } from '../support/pair.ts';
import { head, listen, RawConnection, statuses } from '../support/raw-http.ts';
import { verdict } from '../support/sql-keys.ts';
import { recordStatements } from '../support/statements.ts';
import { warmManagementKey } from '../support/warm.ts';

const PLACES = 3;

let database: TestDatabase;
let instance: Instance;
let port: number;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url, {
    maxInFlight: PLACES,
    memory: memoryBudget(2 * 1024 ** 3),
  });
  port = await listen(instance);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

const JSON_TYPE = { 'Content-Type': 'application/json' };
const as = (key: string) => ({ Authorization: `Bearer ${key}` });
const used = (bound: string) => metric(instance, `keyward_bound_used{bound="${bound}"}`);

async function sent(...texts: string[]): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  for (const text of texts) connection.send(text);
  return connection;
}

/** Until this many bytes of bodies are under way, which arrive when the test says so. */
const untilUnderWay = (bytes: number) =>
  expect.poll(() => used('body_bytes'), { interval: 5 }).toBe(bytes);

const CALLS = [
  'POST /v1/verify',
  'POST /v1/verify/batch',
  'POST /v1/introspect',
  'POST /v1/keys',
  'POST /v1/keys/import',
  'POST /v1/keys/find',
  'POST /v1/whoami/revoke',
  'PUT /v1/workspaces/acme',
  'PATCH /v1/keys/key_0000000000000000000000',
  'DELETE /v1/keys/key_0000000000000000000000',
  'POST /v1/authorize',
];

it.each(CALLS)('%s refuses a stranger by its headers and waits for no body', async (call) => {
  for (const length of [{ 'Content-Length': 9 }, { 'Transfer-Encoding': 'chunked' }]) {
    for (const caller of [{}, as('x'.repeat(38)), as('kw_wrong')]) {
      const connection = await sent(head(call, { ...JSON_TYPE, ...length, ...caller }));
      const answer = await connection.until(/\r\n\r\n.*\}/s);
      expect(statuses(answer)).toEqual([401]);
      if (call.endsWith('authorize')) continue;
      expect(answer.toLowerCase()).toContain('\r\nconnection: close\r\n');
      expect(statuses(await connection.untilEnded())).toEqual([401]);
    }
  }
});

it('a stranger learns by its headers alone, whatever type, length or encoding its body would have', async () => {
  const odd = [
    { 'Content-Type': 'text/plain', 'Content-Length': 9 },
    { 'Content-Type': ';;;', 'Content-Length': 9 },
    { ...JSON_TYPE, 'Content-Length': 99_999_999 },
    { ...JSON_TYPE, 'Content-Encoding': 'gzip', 'Content-Length': 9 },
  ];
  for (const headers of odd) {
    const connection = await sent(head('POST /v1/verify', headers));
    expect(statuses(await connection.untilEnded())).toEqual([401]);
  }
});

it('requests of strangers take no place, however many of them send a body slowly', async () => {
  const slow = [];
  for (let i = 0; i < 4 * PLACES; i++) {
    slow.push(await sent(head('POST /v1/verify', { ...JSON_TYPE, 'Content-Length': 9 }), '{'));
  }
  expect(await verdict(instance, 'unknown')).toBe('NOT_FOUND');
  expect([await used('requests'), await used('body_bytes')]).toEqual([0, 0]);
  for (const connection of slow) await connection.untilEnded();
});

it('a request takes a place when its body is complete: callers that send slowly keep nobody out', async () => {
  const headers = { ...JSON_TYPE, 'Content-Length': 11, ...as(ROOT_KEY) };
  const slow = [];
  for (let i = 0; i < 4 * PLACES; i++) {
    slow.push(await sent(head('POST /v1/verify', headers), '{"key":'));
  }
  await untilUnderWay(slow.length * 16_384);
  expect(await used('requests')).toBe(0);
  expect(await verdict(instance, 'unknown')).toBe('NOT_FOUND');
  for (const connection of slow) {
    connection.send('"x"}');
    expect(statuses(await connection.until(/NOT_FOUND/))).toEqual([200]);
  }
  await untilUnderWay(0);
});

it('bodies under way are bounded for each caller, by what they declare, and freed when their sender hangs up', async () => {
  const { key } = await createManagementKey(instance, { permissions: ['keys:write'] });
  const chunked = { ...JSON_TYPE, 'Transfer-Encoding': 'chunked', ...as(key) };
  const begun = [];
  for (let i = 0; i < 16; i++) begun.push(await sent(head('POST /v1/keys/import', chunked)));
  await untilUnderWay(16 * 1_048_576);
  const refused = await sent(
    head('POST /v1/keys', { ...JSON_TYPE, 'Content-Length': 2, ...as(key) }),
  );
  const answer = await refused.untilEnded();
  expect(statuses(answer)).toEqual([503]);
  expect(answer).toMatch(/retry-after: 1\r\n.*OVERLOADED/s);
  const other = await instance.call('POST', '/v1/keys', { body: { name: 'of another caller' } });
  expect(other.status).toBe(201);
  for (const { socket } of begun) socket.destroy();
  await untilUnderWay(0);
});

it('the management keys of one workspace have one share of the bodies under way together', async () => {
  await putWorkspace(instance, 'many-callers');
  const callers: string[] = [];
  for (let i = 0; i < 4; i++) {
    const options = { workspaceId: 'many-callers', permissions: ['keys:write'] } as const;
    callers.push((await createManagementKey(instance, options)).key);
  }
  const begun = [];
  for (const key of callers) {
    const chunked = { ...JSON_TYPE, 'Transfer-Encoding': 'chunked', ...as(key) };
    for (let i = 0; i < 4; i++) begun.push(await sent(head('POST /v1/keys/import', chunked)));
  }
  await untilUnderWay(16 * 1_048_576);
  for (const key of callers) {
    const headers = { ...JSON_TYPE, 'Content-Length': 2, ...as(key) };
    const refused = await sent(head('POST /v1/keys', headers));
    expect(statuses(await refused.untilEnded())).toEqual([503]);
  }
  for (const { socket } of begun) socket.destroy();
  await untilUnderWay(0);
});

it('bodies under way are bounded together', async () => {
  const begun = [];
  for (let caller = 0; caller < 4; caller++) {
    const { key } = await createManagementKey(instance, { permissions: ['keys:write'] });
    const chunked = { ...JSON_TYPE, 'Transfer-Encoding': 'chunked', ...as(key) };
    for (let i = 0; i < 16; i++) begun.push(await sent(head('POST /v1/keys/import', chunked)));
  }
  await untilUnderWay(67_108_864);
  const refused = await sent(
    head('POST /v1/verify', { ...JSON_TYPE, 'Content-Length': 2, ...as(ROOT_KEY) }),
  );
  expect(statuses(await refused.untilEnded())).toEqual([503]);
  for (const { socket } of begun) socket.destroy();
  await untilUnderWay(0);
});

it('a body in chunks of one byte is read whole, and its bound holds while it is read', async () => {
  const chunked = { ...JSON_TYPE, 'Transfer-Encoding': 'chunked', ...as(ROOT_KEY) };
  const inChunks = (text: string) => [...text].map((byte) => `1\r\n${byte}\r\n`).join('');
  const body = inChunks('{"key":"x"}');
  const whole = await sent(head('POST /v1/verify', chunked), body, '0\r\n\r\n');
  expect(statuses(await whole.until(/NOT_FOUND/))).toEqual([200]);
  const endless = await sent(head('POST /v1/verify', chunked), inChunks(' '.repeat(32_769)));
  expect(statuses(await endless.untilEnded())).toEqual([413]);
});

it('a call that takes no body refuses one, also one that never ends', async () => {
  const chunked = { ...JSON_TYPE, 'Transfer-Encoding': 'chunked', ...as(ROOT_KEY) };
  const get = await sent(head('GET /v1/keys', chunked));
  expect(statuses(await get.untilEnded())).toEqual([400]);
  const post = await sent(
    head('POST /v1/whoami/revoke', chunked),
    `4001\r\n${' '.repeat(0x4001)}\r\n`,
  );
  expect(statuses(await post.untilEnded())).toEqual([413]);
});

it('only a body that is read is invited by 100 Continue', async () => {
  const expecting = { ...JSON_TYPE, Expect: '100-continue', 'Content-Length': 11 };
  const stranger = await sent(head('POST /v1/verify', expecting));
  expect(statuses(await stranger.untilEnded())).toEqual([401]);
  const caller = await sent(head('POST /v1/verify', { ...expecting, ...as(ROOT_KEY) }));
  expect(statuses(await caller.until(/100 Continue/))).toEqual([100]);
  caller.send('{"key":"x"}');
  expect(statuses(await caller.until(/NOT_FOUND/))).toEqual([100, 200]);
  const tooLarge = { ...expecting, 'Content-Length': 32_769, ...as(ROOT_KEY) };
  const large = await sent(head('POST /v1/verify', tooLarge));
  expect(statuses(await large.untilEnded())).toEqual([413]);
});

it('a verification whose body arrives after its management key was revoked is refused', async () => {
  const verifier = await createManagementKey(instance, { permissions: ['keys:verify'] });
  await warmManagementKey(verifier.key, instance);
  const headers = { ...JSON_TYPE, 'Content-Length': 11, ...as(verifier.key) };
  for (const call of ['POST /v1/verify']) {
    const connection = await sent(head(call, headers), '{');
    await untilUnderWay(16_384);
    await instance.call('POST', `/v1/management-keys/${verifier.id}/revoke`);
    connection.send('"key":"x"}');
    expect(statuses(await connection.until(/\r\n\r\n.*\}/s))).toEqual([401]);
  }
});

it('a verification of a caller that memory knows costs one fence, and its refusal needs no argon2', async () => {
  const { key } = await createManagementKey(instance, { permissions: ['keys:verify'] });
  await warmManagementKey(key, instance);
  const names = recordStatements(instance.service.internals.database);
  const body = { key: 'unknown' };
  expect((await instance.call('POST', '/v1/verify', { as: key, body })).status).toBe(200);
  expect(names).toEqual(['fence']);
});

it('a management key that looks right and was never issued costs no argon2, and one load at most', async () => {
  const checksumKey = await readChecksumKey(database.url);
  const forged = forgeKey('kw', base62(16), checksumKey);
  const counts = () =>
    Promise.all(
      ['argon2_runs', 'credential_loads'].map((name) => metric(instance, `keyward_${name}_total`)),
    );
  const [argon2 = 0, loads = 0] = await counts();
  for (let i = 0; i < 5; i++) {
    const answer = await instance.call('POST', '/v1/verify', { as: forged, body: { key: 'x' } });
    expect(answer.status).toBe(401);
  }
  expect(await counts()).toEqual([argon2, loads + 1]);
});

it.each([
  ['POST /v1/keys/find', 16_384],
  ['POST /v1/whoami/revoke', 16_384],
  ['POST /v1/keys/key_0000000000000000000000/rotate', 16_384],
  ['DELETE /v1/keys/key_0000000000000000000000', 16_384],
  ['POST /v1/workspaces/acme/suspend', 16_384],
  ['POST /v1/verify', 32_768],
  ['POST /v1/keys', 65_536],
  ['PATCH /v1/keys/key_0000000000000000000000', 65_536],
  ['PUT /v1/workspaces/acme', 65_536],
  ['POST /v1/keys/bulk-revoke', 65_536],
  ['POST /v1/verify/batch', 1_048_576],
  ['POST /v1/keys/import', 1_048_576],
])('%s takes a body of at most %i bytes, by its headers', async (call, limit) => {
  const headers = { ...JSON_TYPE, ...as(ROOT_KEY) };
  const beyond = await sent(head(call, { ...headers, 'Content-Length': limit + 1 }));
  expect(statuses(await beyond.untilEnded())).toEqual([413]);
  const allowed = await sent(head(call, { ...headers, 'Content-Length': limit }));
  await untilUnderWay(Math.max(limit, 16_384));
  allowed.socket.destroy();
  await untilUnderWay(0);
});
