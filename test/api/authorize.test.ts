import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type CallOptions, type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { expectProblem } from '../support/refusals.ts';

/** The header of a gateway that asks this. */
const asking = (...parameters: string[]) => ({
  'x-keyward-authorization': [`Bearer ${ROOT_KEY}`, ...parameters].join('; '),
});
const perMinute = (limit: number) => ({ name: 'minute', limit, windowSeconds: 60 });

describe('authorize', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url, { keyHeader: 'x-acme-key' });
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  const create = async (body: object = {}) =>
    (await instance.call('POST', '/v1/keys', { body: { name: 'a key', ...body } })).body;
  const authorize = (
    key: string | null,
    path = '',
    options: CallOptions & { method?: string } = {},
  ) =>
    instance.call(options.method ?? 'GET', `/v1/authorize${path}`, {
      as: key,
      ...options,
      headers: { ...asking(), ...options.headers },
    });
  const authorizeFor = (key: string, ...parameters: string[]) =>
    authorize(key, '', { headers: asking(...parameters) });

  it('authorize answers a valid key with 200, an empty body and its identity', async () => {
    const { id, key } = await create({ ownerId: 'customer_42', scopes: ['a', 'b:*'] });
    const { status, text, headers } = await authorize(key);
    expect({ status, text }).toEqual({ status: 200, text: '' });
    expect(headers).toMatchObject({
      'x-keyward-key-id': id,
      'x-keyward-owner': 'customer_42',
      'x-keyward-scopes': 'a b:*',
      'x-keyward-workspace': 'default',
      'x-keyward-code': 'VALID',
      'x-keyward-status': '200',
      'cache-control': 'no-store',
    });
    expect(headers).not.toHaveProperty('sunset');
  });

  it('authorize sends every identity header always, empty if nothing is known', async () => {
    const { headers } = await authorize((await create()).key);
    expect(headers).toMatchObject({ 'x-keyward-owner': '', 'x-keyward-scopes': '' });
  });

  it.each(['Zoë & Söhne %2F', 'a b', '客户:42', '😀', 'plain:owner@example.com'])(
    'authorize carries the owner %s through a header and back',
    async (ownerId) => {
      const { headers } = await authorize((await create({ ownerId })).key);
      const owner = String(headers['x-keyward-owner']);
      expect(owner).toMatch(/^[\x21-\x7e]+$/);
      expect(decodeURIComponent(owner)).toBe(ownerId);
    },
  );

  it('authorize answers every inactive key with 401 and the challenge of RFC 6750', async () => {
    const [revoked, disabled, later, expired] = await Promise.all([
      create(),
      create({ enabled: false }),
      create({ notBefore: '2999-01-01T00:00:00Z' }),
      create({ expiresInSeconds: 1 }),
    ]);
    await instance.call('POST', `/v1/keys/${revoked.id}/revoke`);
    instance.advance(2000);
    const cases = {
      NOT_FOUND: 'ak_live_nonsense',
      REVOKED: revoked.key,
      DISABLED: disabled.key,
      NOT_YET_VALID: later.key,
      EXPIRED: expired.key,
    };
    for (const [code, key] of Object.entries(cases)) {
      const answer = await authorize(key);
      expectProblem(answer, { status: 401, code });
      expect(answer.headers).toMatchObject({
        'www-authenticate': 'Bearer realm="keyward", error="invalid_token"',
        'x-keyward-code': code,
      });
      expect(answer.headers).not.toHaveProperty('x-keyward-key-id');
    }
  });

  it('authorize answers a request without a key with 401 and a challenge without an error, as RFC 6750 says', async () => {
    for (const headers of [{}, { authorization: 'Basic dTpw' }, { 'x-api-key': '' }]) {
      const answer = await authorize(null, '', { headers });
      expectProblem(answer, { status: 401, code: 'KEY_MISSING' });
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="keyward"');
    }
  });

  it('authorize answers a valid key without the required access with 403', async () => {
    const { key } = await create({ scopes: ['a'], resources: ['project:alpha'] });
    const scope = await authorizeFor(key, 'requiredScopes=a,b,c');
    expectProblem(scope, { status: 403, code: 'INSUFFICIENT_SCOPE' });
    expect(scope.headers['www-authenticate']).toBe(
      'Bearer realm="keyward", error="insufficient_scope", scope="b c"',
    );
    const resource = await authorizeFor(key, 'resource=project:beta');
    expectProblem(resource, { status: 403, code: 'RESOURCE_NOT_ALLOWED' });
    const bound = await create({ allowedIps: ['203.0.113.7'] });
    expectProblem(await authorize(bound.key), { status: 403, code: 'IP_NOT_ALLOWED' });
    await instance.call('PUT', '/v1/workspaces/tenant', { body: {} });
    const suspended = await create({ workspaceId: 'tenant' });
    await instance.call('POST', '/v1/workspaces/tenant/suspend');
    expectProblem(await authorize(suspended.key), { status: 403, code: 'WORKSPACE_SUSPENDED' });
  });

  it('authorize answers an exhausted key with 429 and, if it is known, when to retry', async () => {
    const { key } = await create({ rateLimits: [perMinute(1)] });
    expect((await authorize(key)).status).toBe(200);
    const spent = await authorize(key);
    expectProblem(spent, { status: 429, code: 'RATE_LIMITED' });
    const seconds = Number(spent.headers['retry-after']);
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(63);
    const refill = { interval: 'daily', amount: 5 };
    const drained = await create({ credits: { remaining: 1, refill } });
    await authorize(drained.key);
    const empty = await authorize(drained.key);
    expectProblem(empty, { status: 429, code: 'CREDITS_EXHAUSTED' });
    expect(Number(empty.headers['retry-after'])).toBeLessThanOrEqual(86_400);
  });

  it('authorize sends no Retry-After where waiting does not help', async () => {
    const rateLimits = [perMinute(1)];
    const drained = await create({ credits: { remaining: 0 } });
    const beyond = await create({ rateLimits });
    const ending = await create({ rateLimits, expiresInSeconds: 30 });
    const replaced = await create({ rateLimits });
    const body = { graceSeconds: 30 };
    await instance.call('POST', `/v1/keys/${replaced.id}/rotate`, { body });
    for (const { key } of [ending, replaced]) expect((await authorize(key)).status).toBe(200);
    const answers = [
      await authorize(drained.key),
      await authorizeFor(beyond.key, 'cost=2'),
      await authorize(ending.key),
      await authorize(replaced.key),
    ];
    for (const { status, headers } of answers) {
      expect(status).toBe(429);
      expect(headers).not.toHaveProperty('retry-after');
    }
  });

  it.each([
    ['a cost above what a refill gives', { credits: { remaining: 1, refill: 5 } }, 6, false],
    ['a cost of what a refill gives', { credits: { remaining: 1, refill: 5 } }, 5, true],
    ['no credits beside a rate limit', { credits: { remaining: 1 }, rateLimits: 5 }, 2, false],
    [
      'a refill beside a rate limit',
      { credits: { remaining: 4, refill: 5 }, rateLimits: 5 },
      5,
      true,
    ],
    ['too small a refill', { credits: { remaining: 2, refill: 1 }, rateLimits: 5 }, 3, false],
  ] as const)(
    'authorize says when to retry only if waiting helps: %s',
    async (_, quota, cost, helps) => {
      const { remaining, refill } = { refill: null, ...quota.credits };
      const { key } = await create({
        credits: { remaining, ...(refill && { refill: { interval: 'daily', amount: refill } }) },
        rateLimits: 'rateLimits' in quota ? [perMinute(quota.rateLimits)] : [],
      });
      if ('rateLimits' in quota) expect((await authorize(key)).status).toBe(200);
      const denied = await authorizeFor(key, `cost=${cost}`);
      const cached = await authorizeFor(key, `cost=${cost}`);
      expect([denied.status, cached.status]).toEqual([429, 429]);
      expect([denied, cached].map(({ headers }) => 'retry-after' in headers)).toEqual([
        helps,
        helps,
      ]);
    },
  );

  it('the request that takes the last unit passes without a Retry-After', async () => {
    const { key } = await create({ rateLimits: [perMinute(1)], credits: { remaining: 1 } });
    const { status, headers } = await authorize(key);
    expect(status).toBe(200);
    expect(headers).not.toHaveProperty('retry-after');
  });

  it('a cost that never passes is denied with the limits as they stand, also when they have reset', async () => {
    const { key } = await create({ rateLimits: [perMinute(2)] });
    expect((await authorize(key)).status).toBe(200);
    const before = await authorizeFor(key, 'cost=3');
    expect(before.headers.ratelimit).toMatch(/^"minute";r=1;t=\d+$/);
    instance.advance(64_000);
    const after = await authorizeFor(key, 'cost=3');
    expect([after.status, after.headers.ratelimit]).toEqual([429, '"minute";r=2']);
  });

  it('authorize tells how every rate limit of the key stands, whether it passes or not', async () => {
    const day = { name: 'day', limit: 100, windowSeconds: 86_400 };
    const { key } = await create({ rateLimits: [perMinute(2), day], scopes: ['a'] });
    const policy = '"minute";q=2;w=60, "day";q=100;w=86400';
    const left = [
      ['cost=0', 200, /^"minute";r=2, "day";r=100$/],
      ['cost=1', 200, /^"minute";r=1;t=\d{2}, "day";r=99;t=\d{5}$/],
      ['cost=2', 429, /^"minute";r=1;t=\d{2}, "day";r=99;t=\d{5}$/],
      ['cost=1', 200, /^"minute";r=0;t=\d{2}, "day";r=98;t=\d{5}$/],
    ] as const;
    for (const [cost, status, expected] of left) {
      const answer = await authorizeFor(key, cost);
      expect(answer.status).toBe(status);
      expect(answer.headers['ratelimit-policy']).toBe(policy);
      expect(answer.headers.ratelimit).toMatch(expected);
    }
    const refused = await authorizeFor(key, 'requiredScopes=b');
    expect(refused.headers).not.toHaveProperty('ratelimit');
    expect((await authorize((await create()).key)).headers).not.toHaveProperty('ratelimit-policy');
  });

  it('authorize cuts the scopes of a key between two of them at 4096 bytes, and says so', async () => {
    const scopes = Array.from({ length: 100 }, (_, i) => `s${i}:`.padEnd(128, 'x'));
    const ownerId = '😀'.repeat(128);
    const { key } = await create({ scopes, ownerId });
    const { headers } = await authorize(key);
    expect(headers['x-keyward-truncated']).toBe('scopes');
    const sent = String(headers['x-keyward-scopes']);
    expect(sent.length).toBeLessThanOrEqual(4096);
    expect(sent.split(' ')).toEqual(scopes.slice(0, 31));
    expect(decodeURIComponent(String(headers['x-keyward-owner']))).toBe(ownerId);
    const lacking = await authorizeFor(
      (await create()).key,
      `requiredScopes=${scopes.slice(0, 50)}`,
    );
    expect(String(lacking.headers['www-authenticate']).length).toBeLessThan(4200);
    const small = await authorize((await create({ scopes: ['a'] })).key);
    expect(small.headers).toMatchObject({ 'x-keyward-scopes': 'a', 'x-keyward-truncated': '' });
  });

  it('authorize accepts every method, path, query, content type and body', async () => {
    const { key } = await create();
    const methods = 'GET HEAD OPTIONS POST PUT PATCH DELETE TRACE PROPFIND MKCOL QUERY'.split(' ');
    const paths = ['', '/', '/a/b%2Fc/..;x', `/${'long'.repeat(500)}`, '?a=1&a=2&toString=3&%zz'];
    for (const method of methods) {
      for (const path of paths) {
        const { status } = await authorize(key, path, { method });
        expect({ method, path, status }).toEqual({ method, path, status: 200 });
      }
    }
    for (const type of ['application/json', 'text/xml', 'multipart/form-data', ';;nonsense']) {
      const headers = { 'content-type': type };
      const body = `{ not json ${'x'.repeat(100_000)}`;
      expect((await authorize(key, '/upload', { method: 'POST', headers, body })).status).toBe(200);
    }
  });

  it('authorize finds the key in the configured header first, then X-API-Key, then Authorization', async () => {
    const { key } = await create();
    expect((await authorize(null, '', { headers: { 'x-api-key': key } })).status).toBe(200);
    expect((await authorize(null, '', { headers: { 'x-acme-key': key } })).status).toBe(200);
    const jwt = { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' };
    const beside = await authorize(null, '', { headers: { ...jwt, 'x-api-key': key } });
    expect(beside.status).toBe(200);
    const first = await authorize(key, '', { headers: { 'x-api-key': key, 'x-acme-key': 'no' } });
    expect(first.status).toBe(401);
  });

  it('authorize tells the holder of a retiring string until when it is valid', async () => {
    const { id, key } = await create();
    const rotated = await instance.call('POST', `/v1/keys/${id}/rotate`, {
      body: { graceSeconds: 3600 },
    });
    const { validUntil } = rotated.body.secrets.find(
      ({ status }: { status: string }) => status === 'retiring',
    );
    const { headers } = await authorize(key);
    expect(headers.sunset).toBe(new Date(validUntil).toUTCString());
    expect(headers.deprecation).toMatch(/^@\d{10}$/);
    const deprecated = Number(String(headers.deprecation).slice(1)) * 1000;
    expect(deprecated).toBeLessThan(Date.parse(validUntil));
    expect((await authorize(rotated.body.key)).headers).not.toHaveProperty('sunset');
  });

  it('authorize counts what it answers like any other verification', async () => {
    const { id, key } = await create();
    await authorize(key);
    await authorizeFor(key, 'requiredScopes=a');
    await instance.flush();
    const { body } = await instance.call('GET', `/v1/keys/${id}/usage`);
    expect(body.byCode).toEqual({ VALID: 1, INSUFFICIENT_SCOPE: 1 });
  });

  it('authorize logs neither the URL nor a header nor a key', async () => {
    const { key } = await create();
    await authorize(key, `/secret-path/${key}?token=${key}`, { headers: { 'x-api-key': key } });
    const log = instance.logLines.join('');
    expect(log).toContain('"route":"/v1/authorize"');
    expect(log).not.toContain('secret-path');
    expect(log).not.toContain(key);
  });
});
