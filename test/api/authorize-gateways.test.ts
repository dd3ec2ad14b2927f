import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Answer, type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { expectProblem } from '../support/refusals.ts';

const FROM_QUERY = { 'x-keyward-authorization': `Bearer ${ROOT_KEY}; from=query` };
const FROM_HEADERS = { 'x-keyward-authorization': `Bearer ${ROOT_KEY}; from=headers` };
const FROM_ANYWHERE = { 'x-keyward-authorization': `Bearer ${ROOT_KEY}` };

describe('what a gateway says to authorize', () => {
  let database: TestDatabase;
  let instance: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url);
    const body = { requireResource: true };
    await instance.call('PUT', '/v1/workspaces/strict', { body });
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });

  const create = async (body: object = {}): Promise<string> =>
    (await instance.call('POST', '/v1/keys', { body: { name: 'a key', ...body } })).body.key;
  const authorize = (key: string | null, query: string, headers: Record<string, string>) =>
    instance.call('GET', `/v1/authorize/a/path?${query}`, { as: key, headers });
  const issue = async (body: object) => {
    const made = await instance.call('POST', '/v1/management-keys', {
      body: { name: 'g', ...body },
    });
    return { id: made.body.id, gateway: { 'x-keyward-authorization': `Bearer ${made.body.key}` } };
  };
  const codeOf = async (answer: Promise<Answer>) => (await answer).headers['x-keyward-code'];

  it('a gateway can give parameters in the query or in headers, by the same rules', async () => {
    const key = await create({ scopes: ['a', 'b'], resources: ['r'] });
    const cases: [string, Record<string, string>, string][] = [
      ['requiredScopes=a,b', {}, 'VALID'],
      ['requiredScopes=a&requiredScopes=c', {}, 'INSUFFICIENT_SCOPE'],
      ['requiredAnyScope=a,c', {}, 'VALID'],
      ['requiredAnyScope=c,d', {}, 'INSUFFICIENT_SCOPE'],
      ['resource=r', {}, 'VALID'],
      ['resource=s', {}, 'RESOURCE_NOT_ALLOWED'],
      ['workspaceId=default', {}, 'VALID'],
      ['workspaceId=strict', {}, 'NOT_FOUND'],
      ['', { 'x-keyward-required-scopes': 'a b' }, 'VALID'],
      ['', { 'x-keyward-required-scopes': 'a, c' }, 'INSUFFICIENT_SCOPE'],
      ['', { 'x-keyward-required-any-scope': 'c' }, 'INSUFFICIENT_SCOPE'],
      ['', { 'x-keyward-resource': 's' }, 'RESOURCE_NOT_ALLOWED'],
      ['', { 'x-keyward-workspace-id': 'strict' }, 'NOT_FOUND'],
    ];
    for (const [query, headers, code] of cases) {
      const got = await codeOf(authorize(key, query, { ...FROM_ANYWHERE, ...headers }));
      expect({ query, headers, got }).toEqual({ query, headers, got: code });
    }
  });

  it('all parameters of a gateway apply, wherever they are given: a client can only make them stricter', async () => {
    const key = await create({ scopes: ['a'], resources: ['r'] });
    const gateway = { ...FROM_ANYWHERE, 'x-keyward-required-scopes': 'admin' };
    expect(await codeOf(authorize(key, 'requiredScopes=a', gateway))).toBe('INSUFFICIENT_SCOPE');
    const inQuery = { ...FROM_ANYWHERE, 'x-keyward-required-scopes': 'a' };
    expect(await codeOf(authorize(key, 'requiredScopes=admin', inQuery))).toBe(
      'INSUFFICIENT_SCOPE',
    );
    for (const contradiction of [
      'requiredAnyScope=admin&requiredAnyScope=a',
      'resource=s&resource=r',
    ]) {
      expectProblem(await authorize(key, contradiction, FROM_ANYWHERE), {
        status: 400,
        code: 'INVALID_REQUEST',
        pointer: `/query/${contradiction.split('=')[0]}`,
      });
    }
    const twice = await authorize(key, 'resource=s', {
      ...FROM_ANYWHERE,
      'x-keyward-resource': 'r',
    });
    expectProblem(twice, {
      status: 400,
      code: 'INVALID_REQUEST',
      pointer: '/headers/x-keyward-resource',
    });
  });

  it('an address, a required resource or a cost of 0 that a client could have set is not trusted', async () => {
    const bound = await create({ allowedIps: ['203.0.113.7'] });
    const ip = { 'x-keyward-ip': '203.0.113.7' };
    expect(await codeOf(authorize(bound, 'ip=203.0.113.7', { ...FROM_ANYWHERE, ...ip }))).toBe(
      'IP_NOT_ALLOWED',
    );
    const strict = await create({ workspaceId: 'strict', resources: ['r'] });
    expect(await codeOf(authorize(strict, 'resource=r', FROM_ANYWHERE))).toBe(
      'RESOURCE_NOT_ALLOWED',
    );
    const last = await create({ credits: { remaining: 1 } });
    expect(await codeOf(authorize(last, 'cost=0', FROM_ANYWHERE))).toBe('VALID');
    expect(await codeOf(authorize(last, 'cost=0', FROM_ANYWHERE))).toBe('CREDITS_EXHAUSTED');
  });

  it('parameters are trusted from the source that the gateway declares as its own', async () => {
    const bound = await create({ allowedIps: ['203.0.113.7'] });
    const strict = await create({ workspaceId: 'strict', resources: ['r'] });
    const spent = await create({ credits: { remaining: 0 } });
    const says = {
      'x-keyward-ip': '203.0.113.7',
      'x-keyward-resource': 'r',
      'x-keyward-cost': '0',
    };
    for (const key of [bound, strict, spent]) {
      expect(await codeOf(authorize(key, 'ip=203.0.113.7&resource=r&cost=0', FROM_QUERY))).toBe(
        'VALID',
      );
      expect(await codeOf(authorize(key, '', { ...FROM_HEADERS, ...says }))).toBe('VALID');
    }
    expect(await codeOf(authorize(bound, 'ip=203.0.113.8', FROM_QUERY))).toBe('IP_NOT_ALLOWED');
    expect(await codeOf(authorize(strict, 'resource=s', FROM_QUERY))).toBe('RESOURCE_NOT_ALLOWED');
  });

  it('a gateway that declares its source reads parameters from nowhere else, so that those of a client neither help nor harm', async () => {
    const bound = await create({ allowedIps: ['203.0.113.7'], scopes: ['a'] });
    const words = { 'x-keyward-ip': '203.0.113.7', 'x-keyward-required-scopes': 'b' };
    expect(await codeOf(authorize(bound, '', { ...FROM_QUERY, ...words }))).toBe('IP_NOT_ALLOWED');
    const query = 'ip=203.0.113.7&requiredScopes=b&resource=1&resource=2&cost=x';
    expect(await codeOf(authorize(bound, query, FROM_HEADERS))).toBe('IP_NOT_ALLOWED');
    expect(await codeOf(authorize(await create(), query, FROM_HEADERS))).toBe('VALID');
  });

  it.each([
    ['requiredScopes=', '/query/requiredScopes'],
    ['requiredScopes=a:*', '/query/requiredScopes'],
    ['requiredAnyScope=%20,', '/query/requiredAnyScope'],
    ['resource=', '/query/resource'],
    ['ip=203.0.113.7/24', '/query/ip'],
    ['cost=-1', '/query/cost'],
    ['cost=1000001', '/query/cost'],
    ['workspaceId=a/b', '/query/workspaceId'],
  ])('parameters that are malformed or empty are refused: %s', async (query, pointer) => {
    const answer = await authorize(await create(), query, FROM_QUERY);
    expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer });
    expect(answer.headers['x-keyward-code']).toBe('INVALID_REQUEST');
  });

  it('a gateway without a credential of its own is refused with a code of its own', async () => {
    const key = await create();
    const credentials = ['', key, `Bearer ${key}`, 'Bearer kw_no', `Bearer ${ROOT_KEY}; from=body`];
    for (const credential of [null, ...credentials]) {
      const headers = credential === null ? {} : { 'x-keyward-authorization': credential };
      const answer = await authorize(key, 'cost=bad', { ...headers });
      expectProblem(answer, { status: 401, code: 'GATEWAY_UNAUTHENTICATED' });
      expect(answer.headers['x-keyward-code']).toBe('GATEWAY_UNAUTHENTICATED');
    }
    const asClient = await authorize(ROOT_KEY, '', FROM_ANYWHERE);
    expectProblem(asClient, { status: 401, code: 'NOT_FOUND' });
  });

  it('a gateway needs the permission keys:verify, and stays in the workspace of its key', async () => {
    const key = await create();
    const reader = await issue({ permissions: ['keys:read'] });
    expectProblem(await authorize(key, '', reader.gateway), { status: 403, code: 'FORBIDDEN' });
    const bound = await issue({ permissions: ['keys:verify'], workspaceId: 'strict' });
    expect(await codeOf(authorize(key, '', bound.gateway))).toBe('NOT_FOUND');
    expect((await authorize(key, 'workspaceId=default', bound.gateway)).status).toBe(404);
    const inside = await create({ workspaceId: 'strict' });
    expect(await codeOf(authorize(inside, '', bound.gateway))).toBe('VALID');
    await instance.call('POST', `/v1/management-keys/${bound.id}/revoke`);
    expectProblem(await authorize(inside, '', bound.gateway), {
      status: 401,
      code: 'GATEWAY_UNAUTHENTICATED',
    });
  });

  it('with mode=nginx only 200, 401 and 403 are sent to the client, and the true status is in a header', async () => {
    const limited = await create({ rateLimits: [{ name: 'm', limit: 1, windowSeconds: 60 }] });
    const ask = async (key: string | null, query = '', headers = FROM_QUERY) => {
      const answer = await authorize(key, `mode=nginx&${query}`, headers);
      const { 'x-keyward-code': code, 'x-keyward-status': status } = answer.headers;
      return `${answer.status} ${code} ${status}`;
    };
    expect(await ask(limited)).toBe('200 VALID 200');
    expect(await ask(limited)).toBe('403 RATE_LIMITED 429');
    expect(await ask(null)).toBe('401 KEY_MISSING 401');
    expect(await ask('ak_live_no')).toBe('401 NOT_FOUND 401');
    expect(await ask(await create(), 'requiredScopes=a')).toBe('403 INSUFFICIENT_SCOPE 403');
    expect(await ask(await create(), 'cost=bad')).toBe('503 INVALID_REQUEST 503');
    const wrong = { 'x-keyward-authorization': 'Bearer kw_wrong' };
    expect(await ask(await create(), '', wrong)).toBe('503 GATEWAY_UNAUTHENTICATED 503');
    const byHeader = { ...FROM_HEADERS, 'x-keyward-mode': 'nginx' };
    expect((await authorize(limited, '', byHeader)).status).toBe(403);
  });

  it('in nginx mode a fault of the gateway itself is a 503, whatever its client presents', async () => {
    const key = await create({ scopes: ['a'] });
    const reader = await issue({ permissions: ['keys:read'] });
    const revoked = await issue({ permissions: ['keys:verify'] });
    await instance.call('POST', `/v1/management-keys/${revoked.id}/revoke`);
    const bound = await issue({ permissions: ['keys:verify'], workspaceId: 'strict' });
    const faults: [Record<string, string>, string, string][] = [
      [reader.gateway, '', '503 FORBIDDEN 503'],
      [revoked.gateway, '', '503 GATEWAY_UNAUTHENTICATED 503'],
      [{}, '', '503 GATEWAY_UNAUTHENTICATED 503'],
      [bound.gateway, 'workspaceId=default', '503 NOT_FOUND 503'],
    ];
    for (const [gateway, query, expected] of faults) {
      for (const presented of [key, 'ak_live_no', null]) {
        const inQuery = await authorize(presented, `mode=nginx&${query}`, gateway);
        const byHeader = await authorize(presented, query, {
          ...gateway,
          'x-keyward-mode': 'nginx',
        });
        for (const { status, headers } of [inQuery, byHeader]) {
          const { 'x-keyward-code': code, 'x-keyward-status': truth } = headers;
          expect(`${status} ${code} ${truth}`).toBe(expected);
        }
      }
    }
  });

  it('KEY_MISSING is answered only to gateways that are authenticated and permitted', async () => {
    const reader = await issue({ permissions: ['keys:read'] });
    const bound = await issue({ permissions: ['keys:verify'], workspaceId: 'strict' });
    const wrong = { 'x-keyward-authorization': 'Bearer kw_wrong' };
    for (const headers of [{}, { 'x-api-key': '' }, { authorization: 'Basic dTpw' }]) {
      const ask = (gateway: Record<string, string>, query = '') =>
        codeOf(authorize(null, query, { ...headers, ...gateway }));
      expect(await ask({})).toBe('GATEWAY_UNAUTHENTICATED');
      expect(await ask(wrong)).toBe('GATEWAY_UNAUTHENTICATED');
      expect(await ask(reader.gateway)).toBe('FORBIDDEN');
      expect(await ask(bound.gateway, 'workspaceId=default')).toBe('NOT_FOUND');
      expect(await ask(bound.gateway)).toBe('KEY_MISSING');
    }
  });
});
