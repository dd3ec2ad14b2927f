import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';

const GATEWAY = `X-Keyward-Authorization: Bearer ${ROOT_KEY}`;
const HOUR_MS = 3_600_000;

/** Faults that were reported of other key and gateway systems. */
describe('faults that others had', () => {
  let database: TestDatabase;
  let instance: Instance;
  let port: number;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url);
    const url = await instance.service.app.listen({ host: '127.0.0.1', port: 0 });
    port = Number(new URL(url).port);
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  const create = async (body: object = {}) =>
    (await instance.call('POST', '/v1/keys', { body: { name: 'a key', ...body } })).body;
  const codeOf = async (key: unknown, more: object = {}): Promise<string> =>
    (await instance.call('POST', '/v1/verify', { body: { key, ...more } })).body.code;

  /** The time of the instance. */
  const now = async (): Promise<number> => Date.parse((await create()).createdAt);

  /** The head of the answer to a request that is sent as it is written. */
  const raw = async (...lines: string[]): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`);
    let answer = '';
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text;
    });
    await once(socket, 'close');
    return answer;
  };

  it('a key ends at the instant of its expiry, not at the end of that day', async () => {
    const expiresAt = new Date((await now()) + 90_000).toISOString();
    const { key } = await create({ expiresAt });
    expect(await codeOf(key)).toBe('VALID');
    instance.advance(90_001);
    expect(await codeOf(key)).toBe('EXPIRED');
  });

  it('a start that is written with an offset is that instant, wherever the service runs', async () => {
    const start = (await now()) + HOUR_MS;
    const local = new Date(start + 5.5 * HOUR_MS).toISOString().replace('Z', '+05:30');
    const { key, notBefore } = await create({ notBefore: local });
    expect(notBefore).toBe(new Date(start).toISOString());
    expect(await codeOf(key)).toBe('NOT_YET_VALID');
    instance.advance(HOUR_MS + 1);
    expect(await codeOf(key)).toBe('VALID');
  });

  it('a client that keeps asking while it is limited is let through when its window has passed', async () => {
    const { key } = await create({ rateLimits: [{ name: 'w', limit: 2, windowSeconds: 60 }] });
    const codes = [await codeOf(key), await codeOf(key)];
    for (let second = 0; second < 66; second += 6) {
      instance.advance(6000);
      codes.push(await codeOf(key));
    }
    expect(codes.slice(0, 3)).toEqual(['VALID', 'VALID', 'RATE_LIMITED']);
    expect(codes.at(-1)).toBe('VALID');
  });

  it('a refill fills the balance of an exhausted key without a call that changes the key', async () => {
    const credits = { remaining: 1, refill: { amount: 3, interval: 'daily' } };
    const { key } = await create({ credits });
    expect([await codeOf(key), await codeOf(key)]).toEqual(['VALID', 'CREDITS_EXHAUSTED']);
    instance.advance(24 * HOUR_MS);
    expect(await codeOf(key, { cost: 3 })).toBe('VALID');
  });

  it('a new name and owner of a key are in the very next verification', async () => {
    const { id, key } = await create({ ownerId: 'customer_1' });
    await codeOf(key);
    await instance.call('PATCH', `/v1/keys/${id}`, {
      body: { name: 'new', ownerId: 'customer_2' },
    });
    const verdict = await instance.call('POST', '/v1/verify', { body: { key } });
    expect(verdict.body).toMatchObject({ name: 'new', ownerId: 'customer_2' });
  });

  it('two rotations within one second leave one valid string', async () => {
    const first = await create();
    const rotate = async () =>
      (await instance.call('POST', `/v1/keys/${first.id}/rotate`, { body: { graceSeconds: 0 } }))
        .body;
    const [second, third] = [await rotate(), await rotate()];
    const codes = [await codeOf(first.key), await codeOf(second.key), await codeOf(third.key)];
    expect(codes).toEqual(['NOT_FOUND', 'NOT_FOUND', 'VALID']);
  });

  it('an empty key header is a missing key, not a fault', async () => {
    for (const header of ['X-API-Key:', 'Authorization: Bearer', 'Authorization:']) {
      const answer = await raw('GET /v1/authorize HTTP/1.1', 'Host: k', GATEWAY, header);
      expect(answer, header).toMatch(
        /^HTTP\/1.1 401 [\s\S]*x-keyward-code: (KEY_MISSING|NOT_FOUND)/i,
      );
    }
  });

  it('a WebSocket handshake is judged like any other request', async () => {
    const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const head = ['GET /v1/authorize HTTP/1.1', 'Host: k', GATEWAY, ...handshake];
    expect(await raw(...head)).toMatch(/^HTTP\/1.1 401 [\s\S]*KEY_MISSING/);
    const { key } = await create();
    expect(await raw(...head, `X-API-Key: ${key}`)).toMatch(/^HTTP\/1.1 200 /);
  });

  it('HEAD and OPTIONS are judged with the same headers as GET', async () => {
    const { key } = await create();
    for (const method of ['HEAD', 'OPTIONS', 'GET']) {
      const head = [`${method} /v1/authorize HTTP/1.1`, 'Host: k', GATEWAY];
      expect(await raw(...head, `X-API-Key: ${key}`), method).toMatch(
        /^HTTP\/1.1 200 [\s\S]*x-keyward-key-id: key_/i,
      );
      expect(await raw(...head), method).toMatch(/^HTTP\/1.1 401 /);
    }
  });

  it('a suspended workspace ends the keys of its owners until it is resumed', async () => {
    const workspace = '/v1/workspaces/archived';
    await instance.call('PUT', workspace, { body: {} });
    const { key } = await create({ workspaceId: 'archived' });
    expect(await codeOf(key)).toBe('VALID');
    await instance.call('POST', `${workspace}/suspend`);
    expect(await codeOf(key)).toBe('WORKSPACE_SUSPENDED');
    await instance.call('POST', `${workspace}/resume`);
    expect(await codeOf(key)).toBe('VALID');
  });
});
