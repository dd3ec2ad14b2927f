import { describe, expect, it } from 'vitest';
import { encodingsOf } from '../support/database-dump.ts';
import { type Answer, type Instance, ROOT_KEY } from '../support/instance.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey } from '../support/sql-keys.ts';
import { recordStatements } from '../support/statements.ts';
import { warmManagementKey } from '../support/warm.ts';

const FORM = 'application/x-www-form-urlencoded';
const INACTIVE = '{"active":false}';
const BOTH_SCHEMES = 'Bearer realm="keyward", Basic realm="keyward"';

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const perMinute = (limit: number) => ({ name: 'minute', limit, windowSeconds: 60 });

describe('introspection', () => {
  const pair = usePair();

  interface Options {
    as?: string | null;
    headers?: Record<string, string>;
    on?: Instance;
  }
  /** A form as it is written. */
  const send = (body: string, { headers = {}, on = pair.first, ...options }: Options = {}) =>
    on.call('POST', '/v1/introspect', {
      body,
      ...options,
      headers: { 'content-type': FORM, ...headers },
    });
  const introspect = (token: string, more: Record<string, string> = {}, options: Options = {}) =>
    send(String(new URLSearchParams({ token, ...more })), options);
  const expectInactive = ({ status, text, headers }: Answer) => {
    expect([status, text]).toEqual([200, INACTIVE]);
    expect(headers['cache-control']).toBe('no-store');
    for (const name of ['ratelimit', 'retry-after', 'x-keyward-code'])
      expect(headers).not.toHaveProperty(name);
  };
  const usageOf = async (id: string) => {
    await pair.flush();
    return (await pair.first.call('GET', `/v1/keys/${id}/usage`)).body.byCode;
  };

  it('an active key is introspected with its scopes, its id, its owner and its times in seconds', async () => {
    const { body } = await pair.first.call('POST', '/v1/keys', {
      body: {
        name: 'CI deploys',
        ownerId: 'customer_42',
        scopes: ['orders:read', 'members:*'],
        resources: ['project:alpha'],
        notBefore: '2020-01-01T00:00:00.900Z',
        expiresAt: '2999-12-31T23:59:59.999Z',
      },
    });
    const answer = await introspect(body.key);
    expect([answer.status, answer.headers['content-type']]).toEqual([
      200,
      'application/json; charset=utf-8',
    ]);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.body).toEqual({
      active: true,
      scope: 'orders:read members:*',
      client_id: body.id,
      token_type: 'Bearer',
      exp: Date.parse('2999-12-31T23:59:59Z') / 1000,
      iat: Math.floor(Date.parse(body.createdAt) / 1000),
      nbf: Date.parse('2020-01-01T00:00:00Z') / 1000,
      sub: 'customer_42',
      keyward_workspace_id: 'default',
      keyward_name: 'CI deploys',
      keyward_resources: ['project:alpha'],
    });
  });

  it('what a key does not have is left out of its introspection, and a key without an owner is its own subject', async () => {
    const { id, key } = await createKey(pair.first);
    const { body } = await introspect(key);
    expect(Object.keys(body).sort()).toEqual([
      ...[
        'active',
        'client_id',
        'iat',
        'keyward_name',
        'keyward_workspace_id',
        'sub',
        'token_type',
      ],
    ]);
    expect(body.sub).toBe(id);
  });

  it('a string that a rotation replaces ends, in its introspection, with the grace, and the new one does not', async () => {
    const { id, key } = await createKey(pair.first);
    const rotated = await pair.first.call('POST', `/v1/keys/${id}/rotate`, {
      body: { graceSeconds: 3600 },
    });
    const retiring = rotated.body.secrets.find(
      (it: { status: string }) => it.status === 'retiring',
    );
    const old = await introspect(key);
    expect(old.body.exp).toBe(Math.floor(Date.parse(retiring.validUntil) / 1000));
    expect((await introspect(rotated.body.key)).body).not.toHaveProperty('exp');
  });

  it('whatever is not VALID is introspected as inactive, byte for byte alike, with no reason', async () => {
    const make = async (more: object) => (await createKey(pair.first, more)).key;
    const revoked = await createKey(pair.first);
    const spent = await make({ credits: { remaining: 1 } });
    const limited = await make({ rateLimits: [perMinute(1)] });
    await putWorkspace(pair.first, 'suspended');
    const suspended = await make({ workspaceId: 'suspended' });
    await pair.first.call('POST', '/v1/workspaces/suspended/suspend');
    const manager = await createManagementKey(pair.first, { permissions: ['keys:verify'] });
    const valid = await make({});
    for (const key of [spent, limited]) expect((await introspect(key)).body.active).toBe(true);
    await pair.first.call('POST', `/v1/keys/${revoked.id}/revoke`);
    const tokens = [
      ...['', ' ', 'nonsense', 'ak_live_', '\0', '\ufffd', 'x'.repeat(20_000)],
      ...[`Bearer ${valid}`, `${valid} `, valid.slice(0, -1)],
      ...[manager.key, ROOT_KEY, revoked.key, spent, limited, suspended],
      await make({ enabled: false }),
      await make({ notBefore: '2999-01-01T00:00:00Z' }),
      await make({ allowedIps: ['203.0.113.7'] }),
    ];
    for (const token of tokens) expectInactive(await introspect(token));
    expectInactive(await send('token=%ff%zz%'));
  });

  it('an expired key is introspected as inactive from the moment of its expiry', async () => {
    const { key } = await createKey(pair.first, { expiresInSeconds: 60 });
    expect((await introspect(key)).body.active).toBe(true);
    pair.advance(60_000);
    expectInactive(await introspect(key));
  });

  it('a key that one instance has revoked is inactive on another one at once', async () => {
    const { id, key } = await createKey(pair.first);
    expect((await introspect(key, {}, { on: pair.second })).body.active).toBe(true);
    await pair.first.call('POST', `/v1/keys/${id}/revoke`);
    expectInactive(await introspect(key, {}, { on: pair.second }));
  });

  it('an introspection counts as a verification and consumes one credit, or as many as its cost says', async () => {
    const { id, key } = await createKey(pair.first, { credits: { remaining: 3 } });
    expect((await introspect(key)).body.active).toBe(true);
    expect((await introspect(key, { cost: '0' })).body.active).toBe(true);
    expect((await introspect(key, { cost: '2' })).body.active).toBe(true);
    expectInactive(await introspect(key));
    expect(await usageOf(id)).toEqual({ VALID: 3, CREDITS_EXHAUSTED: 1 });
  });

  it('an introspection with the address and the resource of the request checks both', async () => {
    const { id, key } = await createKey(pair.first, {
      allowedIps: ['203.0.113.0/24'],
      resources: ['project:alpha'],
    });
    const from = { ip: '203.0.113.7' };
    expect((await introspect(key, { ...from, resource: 'project:alpha' })).body.active).toBe(true);
    expectInactive(await introspect(key, { ...from, resource: 'project:beta' }));
    expectInactive(await introspect(key, { ip: '203.0.114.1' }));
    await pair.flush();
    const { usage } = (await pair.first.call('GET', `/v1/keys/${id}`)).body;
    expect(usage.lastUsedFrom.ip).toBe('203.0.113.0/24');
  });

  it('HTTP Basic with a management key as the password, and any user name, is as good as Bearer', async () => {
    const { key } = await createKey(pair.first);
    const manager = await createManagementKey(pair.first, { permissions: ['keys:verify'] });
    for (const user of ['resource-server', '', 'Zoë', manager.id]) {
      const headers = { authorization: basic(user, manager.key) };
      expect((await introspect(key, {}, { as: null, headers })).body.active).toBe(true);
    }
    const lower = { authorization: basic('x', ROOT_KEY).replace('Basic', 'basic') };
    expect((await introspect(key, {}, { as: null, headers: lower })).body.active).toBe(true);
  });

  it('a management key that is sent by HTTP Basic lands in no log line, however it is encoded', async () => {
    const { key } = await createKey(pair.first);
    const manager = await createManagementKey(pair.first, { permissions: ['keys:verify'] });
    const wrong = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    for (const { key: password } of [manager, wrong]) {
      const headers = { authorization: basic('me', password) };
      await introspect(key, {}, { as: null, headers });
      await introspect(key, { ip: 'nowhere' }, { as: null, headers });
    }
    const lines = pair.first.logLines.join('');
    expect(lines).toContain('/v1/introspect');
    const secrets = [key, manager.key, wrong.key];
    const sent = [basic('me', manager.key), basic('me', wrong.key)].map((it) => it.slice(6));
    for (const needle of [...secrets.flatMap(encodingsOf), ...sent])
      expect(lines.includes(needle)).toBe(false);
  });

  it('a caller that is not authenticated is answered 401 with a challenge for Bearer and one for Basic', async () => {
    const customer = await createKey(pair.first);
    const manager = await createManagementKey(pair.first, { permissions: ['keys:verify'] });
    const encoded = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    const credentials = [
      ...['Basic', 'Basic ', 'Basic !', 'Basic a===', `Basic ${manager.key}`, manager.key],
      ...[encoded(manager.key), basic('x', ''), basic('x', ` ${manager.key}`), basic('x', 'kw_x')],
      ...[basic(manager.key, 'x'), basic('x', customer.key), `Bearer ${customer.key}`],
      basic('x', `${manager.key}\r\n`),
    ];
    for (const authorization of credentials) {
      const answer = await introspect('x', {}, { as: null, headers: { authorization } });
      expectProblem(answer, { status: 401, code: 'UNAUTHENTICATED' });
      expect(answer.headers['www-authenticate']).toBe(BOTH_SCHEMES);
    }
    expectProblem(await introspect('x', {}, { as: null }), {
      status: 401,
      code: 'UNAUTHENTICATED',
    });
  });

  it('HTTP Basic authenticates no other call', async () => {
    const headers = { authorization: basic('x', ROOT_KEY) };
    for (const [method, url] of [
      ['POST', '/v1/verify'],
      ['POST', '/v1/verify/batch'],
      ['GET', '/v1/keys'],
      ['GET', '/v1/whoami'],
    ] as const) {
      const body = method === 'POST' ? { body: { key: 'x' } } : {};
      const answer = await pair.first.call(method, url, { as: null, headers, ...body });
      expect([url, answer.status]).toEqual([url, 401]);
    }
  });

  it('an introspection requires the permission keys:verify, and tells a bound caller of its own workspace alone', async () => {
    await putWorkspace(pair.first, 'theirs');
    const theirs = await createKey(pair.first, { workspaceId: 'theirs' });
    const reader = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const refused = await introspect(theirs.key, {}, { as: reader.key });
    expectProblem(refused, { status: 403, code: 'FORBIDDEN' });
    await putWorkspace(pair.first, 'mine');
    const bound = await createManagementKey(pair.first, {
      permissions: ['keys:verify'],
      workspaceId: 'mine',
    });
    expectInactive(await introspect(theirs.key, {}, { as: bound.key }));
    for (const workspaceId of ['theirs', 'never-made']) {
      const answer = await introspect(theirs.key, { workspaceId }, { as: bound.key });
      expectProblem(answer, { status: 404, code: 'NOT_FOUND' });
    }
    expectInactive(await introspect(theirs.key, { workspaceId: 'mine' }));
    expect((await introspect(theirs.key, { workspaceId: 'theirs' })).body.active).toBe(true);
  });

  it('a form ignores the hint, unknown parameters and their repetition, as RFC 6749 and RFC 7662 say', async () => {
    const { key } = await createKey(pair.first);
    const forms = [
      `token=${key}&token_type_hint=refresh_token`,
      `token_type_hint=&token=${key}`,
      `a&a=1&a=2&token=${key}&__proto__=1&constructor=x&key=y&client_id=z`,
      `&&token=${key}&&`,
    ];
    for (const form of forms) expect((await send(form)).body.active).toBe(true);
    const types = [`${FORM}; charset=UTF-8`, `${FORM};charset="utf-8"`, FORM.toUpperCase()];
    for (const type of types) {
      const answer = await send(`token=${key}`, { headers: { 'content-type': type } });
      expect([type, answer.body.active]).toEqual([type, true]);
    }
  });

  it.each([
    ['', '/body/token'],
    ['tokens=x', '/body/token'],
    ['token=x&token=y', '/body/token'],
    ['token=x&token=x', '/body/token'],
    ['token=x&token_type_hint=a&token_type_hint=b', '/body/token_type_hint'],
    ['token=x&ip=', '/body/ip'],
    ['token=x&ip=nowhere', '/body/ip'],
    ['token=x&ip=203.0.113.7&ip=203.0.113.8', '/body/ip'],
    ['token=x&resource=', '/body/resource'],
    ['token=x&resource=a%0ab', '/body/resource'],
    [`token=x&resource=${'r'.repeat(257)}`, '/body/resource'],
    ['token=x&cost=', '/body/cost'],
    ['token=x&cost=-1', '/body/cost'],
    ['token=x&cost=1e3', '/body/cost'],
    ['token=x&cost=0x1', '/body/cost'],
    ['token=x&cost=1000001', '/body/cost'],
    ['token=x&cost=true', '/body/cost'],
    ['token=x&workspaceId=', '/body/workspaceId'],
    ['token=x&workspaceId=..', '/body/workspaceId'],
  ])('the form %j is refused with 400 and a pointer to its parameter', async (form, pointer) => {
    expectProblem(await send(form), { status: 400, code: 'INVALID_REQUEST', pointer });
  });

  it('an introspection without any body is refused with 400, and one with a token in the query too', async () => {
    const none = await pair.first.call('POST', '/v1/introspect');
    expectProblem(none, { status: 400, code: 'INVALID_REQUEST', pointer: '/body/token' });
    const { key } = await createKey(pair.first);
    const url = `/v1/introspect?token=${key}`;
    const answer = await pair.first.call('POST', url, {
      body: `token=${key}`,
      headers: { 'content-type': FORM },
    });
    expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer: '/query/token' });
    expect(answer.text).not.toContain(key);
  });

  it('a body that is no form in UTF-8, as it is, is refused with 415, and one above 32 KiB with 413', async () => {
    const types = [
      ...['application/json', 'text/plain', 'multipart/form-data; boundary=x', 'text/xml'],
      ...[`${FORM}; charset=latin1`, `${FORM}x`, `x${FORM}`],
    ];
    for (const type of types) {
      const answer = await send('{"token":"x"}', { headers: { 'content-type': type } });
      expect([type, answer.status, answer.body.code]).toEqual([
        type,
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ]);
    }
    const zipped = await send('token=x', { headers: { 'content-encoding': 'gzip' } });
    expectProblem(zipped, { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
    const json = await send('{}', { headers: { 'content-type': 'application/json' } });
    expect(json.body.detail).toBe(`Send \`Content-Type: ${FORM}\`.`);
    expect((await send(`token=${'x'.repeat(32_762)}`)).text).toBe(INACTIVE);
    expectProblem(await send(`token=${'x'.repeat(32_763)}`), {
      status: 413,
      code: 'BODY_TOO_LARGE',
    });
  });

  it('an introspection by a caller that memory knows costs one fence, by Bearer and by Basic', async () => {
    const manager = await createManagementKey(pair.first, { permissions: ['keys:verify'] });
    await warmManagementKey(manager.key, pair.first);
    const { key } = await createKey(pair.first);
    // Twice: a first load may meet the fence that names the new key, and is not kept then.
    for (let use = 0; use < 2; use++) await introspect(key);
    const names = recordStatements(pair.first.service.internals.database);
    expect((await introspect(key, {}, { as: manager.key })).body.active).toBe(true);
    const headers = { authorization: basic('me', manager.key) };
    expect((await introspect(key, {}, { as: null, headers })).body.active).toBe(true);
    expect(names).toEqual(['fence', 'fence']);
  });

  it('an introspection of a management key that ended counts neither itself nor its token', async () => {
    const { id, key } = await createKey(pair.first);
    const manager = await createManagementKey(pair.first, { permissions: ['keys:verify'] });
    await pair.first.call('POST', `/v1/management-keys/${manager.id}/revoke`);
    expectProblem(await introspect(key, {}, { as: manager.key }), {
      status: 401,
      code: 'UNAUTHENTICATED',
    });
    expect(await usageOf(id)).toEqual({});
  });
});
