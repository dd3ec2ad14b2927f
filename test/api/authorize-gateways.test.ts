import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Answer, type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { expectProblem } from '../support/refusals.ts';

const POINTER = '/headers/x-keyward-authorization';

interface Gateway {
  id: string;
  credential: string;
}
const ROOT: Gateway = { id: 'root', credential: `Bearer ${ROOT_KEY}` };
const WRONG: Gateway = { id: 'none', credential: 'Bearer kw_wrong' };

describe('the gateways of authorize', () => {
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
  const authorize = (key: string | null, parameters = '', { credential } = ROOT) => {
    const value = parameters === '' ? credential : `${credential}; ${parameters}`;
    const headers = { 'x-keyward-authorization': value };
    return instance.call('GET', '/v1/authorize/a/path', { as: key, headers });
  };
  const issue = async (body: object): Promise<Gateway> => {
    const made = await instance.call('POST', '/v1/management-keys', {
      body: { name: 'a gateway', ...body },
    });
    return { id: made.body.id, credential: `Bearer ${made.body.key}` };
  };
  const revoke = ({ id }: Gateway) => instance.call('POST', `/v1/management-keys/${id}/revoke`);
  const codeOf = async (answer: Promise<Answer>) => (await answer).headers['x-keyward-code'];
  const told = async (answer: Promise<Answer>) => {
    const { status, headers } = await answer;
    return `${status} ${headers['x-keyward-code']} ${headers['x-keyward-status']}`;
  };

  it.each([
    ['requiredScopes=a,b', 'VALID'],
    ['requiredScopes=a,c', 'INSUFFICIENT_SCOPE'],
    ['requiredAnyScope=a,c', 'VALID'],
    ['requiredAnyScope=c,d', 'INSUFFICIENT_SCOPE'],
    ['requiredScopes=a; requiredAnyScope=c', 'INSUFFICIENT_SCOPE'],
    ['resource=r', 'VALID'],
    ['resource=r; resource=s', 'RESOURCE_NOT_ALLOWED'],
    ['ip=203.0.113.7', 'VALID'],
    ['ip=::ffff:203.0.113.7', 'VALID'],
    ['ip=203.0.113.8', 'IP_NOT_ALLOWED'],
    ['cost=10; ip=203.0.113.7', 'VALID'],
    ['cost=1000000; ip=203.0.113.7', 'CREDITS_EXHAUSTED'],
    ['workspaceId=default', 'VALID'],
    ['workspaceId=strict', 'NOT_FOUND'],
  ])('a gateway that asks “%s” of a key gets the verdict %s', async (parameters, code) => {
    const key = await create({
      scopes: ['a', 'b'],
      resources: ['r'],
      credits: { remaining: 10 },
      ...(parameters.includes('ip=') ? { allowedIps: ['203.0.113.7'] } : {}),
    });
    expect(await codeOf(authorize(key, parameters))).toBe(code);
  });

  it('a gateway that names no address or no resource gets keys that need one refused', async () => {
    expect(await codeOf(authorize(await create({ allowedIps: ['203.0.113.7'] })))).toBe(
      'IP_NOT_ALLOWED',
    );
    const strict = await create({ workspaceId: 'strict', resources: ['r'] });
    expect(await codeOf(authorize(strict))).toBe('RESOURCE_NOT_ALLOWED');
    expect(await codeOf(authorize(strict, 'resource=r'))).toBe('VALID');
  });

  it('a cost of 0 passes without consuming, and each request consumes 1 by default', async () => {
    const key = await create({ credits: { remaining: 1 } });
    const costs = ['cost=0', '', 'cost=0', ''];
    const codes = [];
    for (const cost of costs) codes.push(await codeOf(authorize(key, cost)));
    expect(codes).toEqual(['VALID', 'VALID', 'VALID', 'CREDITS_EXHAUSTED']);
  });

  it.each([
    ['requireScopes=a', 'requireScopes'],
    ['RequiredScopes=a', 'RequiredScopes'],
    ['requiredScopes=', 'requiredScopes'],
    ['requiredScopes=a:*', 'requiredScopes'],
    ['requiredScopes=a; requiredScopes=a', 'requiredScopes'],
    ['requiredAnyScope=,', 'requiredAnyScope'],
    ['ip=203.0.113.7/24', 'ip'],
    ['cost=-1', 'cost'],
    ['cost=1000001', 'cost'],
    ['workspaceId=a/b', 'workspaceId'],
    ['mode=Nginx', 'mode'],
    ['from=query', 'from'],
    ['requiredScopes=a;', 'a parameter'],
    ['requiredScopes=a; ; cost=1', 'a parameter'],
    ['resource=', 'resource'],
  ])(
    'a gateway that asks “%s” is told that %s is its fault, and nothing is verified',
    async (parameters, name) => {
      const answer = await authorize(await create({ scopes: ['*'] }), parameters);
      expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer: POINTER });
      expect(answer.body.errors[0].detail).toMatch(new RegExp(`^${name}\\b`));
      expect(answer.headers['x-keyward-code']).toBe('INVALID_REQUEST');
      expect(answer.headers).not.toHaveProperty('x-keyward-key-id');
    },
  );

  it('a gateway without a credential of its own is refused with a code of its own', async () => {
    const key = await create();
    const credentials = [
      '',
      key,
      `Bearer ${key}`,
      'Bearer kw_no',
      'Bearer ',
      `Bearer ${ROOT_KEY} x`,
    ];
    for (const credential of [null, ...credentials]) {
      const headers = credential === null ? {} : { 'x-keyward-authorization': credential };
      const answer = await instance.call('GET', '/v1/authorize', { as: key, headers });
      expectProblem(answer, { status: 401, code: 'GATEWAY_UNAUTHENTICATED' });
      expect(answer.headers['x-keyward-code']).toBe('GATEWAY_UNAUTHENTICATED');
    }
    expectProblem(await authorize(ROOT_KEY), { status: 401, code: 'NOT_FOUND' });
  });

  it('a gateway needs the permission keys:verify, and stays in the workspace of its key', async () => {
    const key = await create();
    const reader = await issue({ permissions: ['keys:read'] });
    expectProblem(await authorize(key, '', reader), { status: 403, code: 'FORBIDDEN' });
    const bound = await issue({ permissions: ['keys:verify'], workspaceId: 'strict' });
    expect(await codeOf(authorize(key, '', bound))).toBe('NOT_FOUND');
    expect((await authorize(key, 'workspaceId=default', bound)).status).toBe(404);
    const inside = await create({ workspaceId: 'strict' });
    expect(await codeOf(authorize(inside, '', bound))).toBe('VALID');
    await revoke(bound);
    expectProblem(await authorize(inside, '', bound), {
      status: 401,
      code: 'GATEWAY_UNAUTHENTICATED',
    });
  });

  it('with mode=nginx only 200, 401 and 403 are verdicts, and the true status is in a header', async () => {
    const ask = (key: string | null, parameters = 'cost=1', gateway = ROOT) =>
      told(authorize(key, `mode=nginx; ${parameters}`, gateway));
    const limited = await create({ rateLimits: [{ name: 'm', limit: 1, windowSeconds: 60 }] });
    expect(await ask(limited)).toBe('200 VALID 200');
    expect(await ask(limited)).toBe('403 RATE_LIMITED 429');
    expect(await ask(null)).toBe('401 KEY_MISSING 401');
    expect(await ask('ak_live_no')).toBe('401 NOT_FOUND 401');
    expect(await ask(await create(), 'requiredScopes=a')).toBe('403 INSUFFICIENT_SCOPE 403');
    expect(await ask(await create(), 'cost=bad')).toBe('503 INVALID_REQUEST 503');
    expect(await ask(await create(), '')).toBe('503 INVALID_REQUEST 503');
    expect(await ask(await create(), 'cost=1', WRONG)).toBe('503 GATEWAY_UNAUTHENTICATED 503');
  });

  it('in nginx mode a fault of the gateway itself is a 503, whatever its client presents', async () => {
    const key = await create({ scopes: ['a'] });
    const reader = await issue({ permissions: ['keys:read'] });
    const revoked = await issue({ permissions: ['keys:verify'] });
    await revoke(revoked);
    const bound = await issue({ permissions: ['keys:verify'], workspaceId: 'strict' });
    const faults: [Gateway, string, string][] = [
      [reader, 'mode=nginx', '503 FORBIDDEN 503'],
      [revoked, 'mode=nginx', '503 GATEWAY_UNAUTHENTICATED 503'],
      [{ ...WRONG, credential: 'Bearer ' }, 'mode=nginx', '503 GATEWAY_UNAUTHENTICATED 503'],
      [{ ...WRONG, credential: '' }, 'mode=nginx', '503 GATEWAY_UNAUTHENTICATED 503'],
      [bound, 'mode=nginx; workspaceId=default', '503 NOT_FOUND 503'],
      [bound, 'mode=nginx; mode=nginx', '503 INVALID_REQUEST 503'],
      [bound, 'mode=nginx; requireScopes=a', '503 INVALID_REQUEST 503'],
    ];
    for (const [gateway, parameters, expected] of faults) {
      for (const presented of [key, 'ak_live_no', null]) {
        expect(await told(authorize(presented, parameters, gateway))).toBe(expected);
      }
    }
  });

  it('only gateways that are authenticated and may ask learn what is wrong with the question or that a key is missing', async () => {
    const reader = await issue({ permissions: ['keys:read'] });
    const bound = await issue({ permissions: ['keys:verify'], workspaceId: 'strict' });
    for (const parameters of ['', 'cots=1', 'workspaceId=default']) {
      expect(await codeOf(authorize(null, parameters, WRONG))).toBe('GATEWAY_UNAUTHENTICATED');
      expect(await codeOf(authorize(null, parameters, reader))).toBe('FORBIDDEN');
    }
    expect(await codeOf(authorize(null, 'workspaceId=default', bound))).toBe('NOT_FOUND');
    expect(await codeOf(authorize(null, 'cots=1', bound))).toBe('INVALID_REQUEST');
    expect(await codeOf(authorize(null, '', bound))).toBe('KEY_MISSING');
  });

  it('the key of a gateway counts as used whether its client presents a key, none, or the question is wrong', async () => {
    const asks: [string | null, string][] = [
      [await create(), ''],
      ['ak_live_no', ''],
      [null, ''],
      [await create(), 'cots=1'],
    ];
    for (const [presented, parameters] of asks) {
      const gateway = await issue({ permissions: ['keys:verify'] });
      await authorize(presented, parameters, gateway);
      await instance.flush();
      const { body } = await instance.call('GET', `/v1/management-keys/${gateway.id}`);
      expect(body.lastUsedAt).toEqual(expect.any(String));
    }
  });

  it('a client without a key makes no workspace of its choice count anything', async () => {
    const query = '?workspaceId=tenant-of-a-stranger';
    const headers = {
      'x-keyward-authorization': ROOT.credential,
      'x-keyward-workspace-id': 'tenant-of-a-stranger',
    };
    await instance.call('GET', `/v1/authorize${query}`, { as: 'ak_live_no', headers });
    await instance.flush();
    const sql = await connect(database.url);
    const { rows } = await sql.query('select distinct workspace_id from usage_unmatched');
    const counted = rows.map(({ workspace_id: id }) => id);
    expect(counted).toContain('*');
    expect(counted).not.toContain('tenant-of-a-stranger');
  });
});
