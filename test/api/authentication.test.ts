import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type CallOptions, type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { expectProblem, RefusalChecker } from '../support/refusals.ts';

const UNAUTHENTICATED = { status: 401, code: 'UNAUTHENTICATED' };
const ID = `key_${'0'.repeat(22)}`;

interface Call {
  method: string;
  url: string;
  takesBody: boolean;
}

interface Operation {
  security?: object[];
  requestBody?: object;
}

/**
 * Every call that requires a management key according to the OpenAPI document, where calls
 * of gateways and of key holders declare another credential.
 */
async function protectedCalls(keyward: Instance): Promise<Call[]> {
  const { body } = await keyward.call('GET', '/openapi.json', { as: null });
  const paths: Record<string, Record<string, Operation>> = body.paths;
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { security }]) => security === undefined)
      .map(([method, { requestBody }]) => ({
        method: method.toUpperCase(),
        url: path.replaceAll(/\{[^}]+\}/g, 'x'),
        takesBody: requestBody !== undefined,
      })),
  );
}

const CREDENTIALS: [what: string, authorization: string | null][] = [
  ['no credential', null],
  ['an empty header', ''],
  ['the scheme alone', 'Bearer'],
  ['the scheme and a space', 'Bearer '],
  ['another key', `Bearer ${'x'.repeat(38)}`],
  ['the root key without scheme', ROOT_KEY],
  ['the root key under Basic', `Basic ${Buffer.from(`root:${ROOT_KEY}`).toString('base64')}`],
  ['the root key under another scheme', `Token ${ROOT_KEY}`],
  ['the root key in capitals', `Bearer ${ROOT_KEY.toUpperCase()}`],
  ['the root key cut short', `Bearer ${ROOT_KEY.slice(0, -1)}`],
  ['the root key with more behind it', `Bearer ${ROOT_KEY}x`],
  ['the root key with a word behind it', `Bearer ${ROOT_KEY} x`],
  ['the root key in quotes', `Bearer "${ROOT_KEY}"`],
  ['the root key twice', `Bearer ${ROOT_KEY}, Bearer ${ROOT_KEY}`],
];

describe('a caller who cannot be authenticated', () => {
  let database: TestDatabase;
  let keyward: Instance;
  let refusals: RefusalChecker;
  let calls: Call[];

  beforeAll(async () => {
    database = await createTestDatabase();
    keyward = await launch(database.url);
    refusals = await RefusalChecker.open(database.url);
    calls = await protectedCalls(keyward);
  });
  afterAll(async () => {
    await refusals.close();
    await keyward.stop();
    await database.drop();
  });

  /** The call is refused with a challenge, and the answer does not depend on what was sent. */
  const turnedAway = async (method: string, url: string, options: CallOptions) => {
    const call = () => keyward.call(method, url, { as: null, ...options });
    const answer = await refusals.expectRefused(call, UNAUTHENTICATED);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="[^"]+"/);
    return answer;
  };

  it.each(CREDENTIALS)(
    'every call without valid credentials answers 401 with a challenge: %s',
    async (_what, value) => {
      const headers: Record<string, string> = value === null ? {} : { authorization: value };
      expect(calls.length).toBeGreaterThan(10);
      for (const { method, url } of calls) await turnedAway(method, url, { headers });
    },
  );

  it('a caller without credentials learns nothing from paths: identifiers are not looked at first', async () => {
    for (const id of ['x', '%00', ID]) await turnedAway('GET', `/v1/keys/${id}`, {});
    await turnedAway('GET', '/v1/keys?limit=x&nothing=1', {});
    await turnedAway('GET', '/v1/keys?cursor=x', {});
  });

  it.each([
    ['malformed JSON', { body: '{' }],
    ['an invalid body', { body: { nothing: 1 } }],
    ['no body', {}],
    ['an empty body', { body: '' }],
    ['a list', { body: [] }],
    ['another type of body', { body: 'x', headers: { 'content-type': 'text/plain' } }],
    ['a body that is too large', { body: { name: 'x'.repeat(70_000) } }],
    ['a scheme before the key', { body: { key: 'Bearer ak_live_x' } }],
  ] as [string, CallOptions][])(
    'a caller without credentials gets 401 for a request with %s too',
    async (_what, options) => {
      for (const { method, url, takesBody } of calls) {
        if (takesBody) await turnedAway(method, url, options);
      }
    },
  );

  it('every caller gets 401 if no root key is set, whatever is presented', async () => {
    const closed = await launch(database.url, { rootKey: undefined });
    for (const authorization of ['', 'Bearer ', 'Bearer undefined', `Bearer ${ROOT_KEY}`]) {
      const answer = await closed.call('GET', '/v1/keys', { as: null, headers: { authorization } });
      expectProblem(answer, UNAUTHENTICATED);
    }
    await closed.stop();
  });

  it('a customer key, however valid, does not authenticate a management call', async () => {
    const { key } = (await keyward.call('POST', '/v1/keys', { body: { name: 'x' } })).body;
    for (const { method, url } of calls) await turnedAway(method, url, { as: key });
  });
});

describe('a caller with the root key', () => {
  let database: TestDatabase;
  let keyward: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    keyward = await launch(database.url);
  });
  afterAll(async () => {
    await keyward.stop();
    await database.drop();
  });

  it.each(['Bearer', 'bearer', 'BEARER'])(
    'the root key is accepted with the scheme %s',
    async (scheme) => {
      const headers = { authorization: `${scheme} ${ROOT_KEY}` };
      expect(await keyward.call('GET', '/v1/keys', { as: null, headers })).toMatchObject({
        status: 200,
      });
    },
  );

  it.each(['Bearer ', 'bearer ', 'Bearer  ', 'Bearer\t', 'Basic ', 'ApiKey ', 'Token '])(
    'verify tells a caller who sends %j with the key to remove it',
    async (scheme) => {
      const { key } = (await keyward.call('POST', '/v1/keys', { body: { name: 'x' } })).body;
      const answer = await keyward.call('POST', '/v1/verify', { body: { key: scheme + key } });
      expectProblem(answer, { status: 400, code: 'KEY_WITH_SCHEME', pointer: '/body/key' });
      expect(answer.body.detail).toMatch(/remove the authorization scheme/i);
      expect(answer.text).not.toContain(key);
    },
  );

  it('the root key and management keys are never valid in verify', async () => {
    const answer = await keyward.call('POST', '/v1/verify', { body: { key: ROOT_KEY } });
    expect(answer.body).toMatchObject({ valid: false, code: 'NOT_FOUND', keyId: null });
  });

  it('health checks answer without a key, and reveal nothing more', async () => {
    expect(await keyward.call('GET', '/livez', { as: null })).toMatchObject({ status: 200 });
    const ready = await keyward.call('GET', '/readyz', { as: null });
    expect(ready.body).toEqual({ status: 'ok', checks: expect.any(Object) });
  });
});
