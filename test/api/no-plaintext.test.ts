import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { dumpDatabase, encodingsOf } from '../support/database-dump.ts';
import { partsOf } from '../support/forged-key.ts';
import {
  type Answer,
  type CallOptions,
  type Instance,
  launch,
  ROOT_KEY,
} from '../support/instance.ts';
import { expectProblem } from '../support/refusals.ts';

const KEYWARD_SECRET = 'another-secret-of-the-tests-0123456789';

describe('a key is seen once', () => {
  let database: TestDatabase;
  let keyward: Instance;
  let forgetful: Instance;
  const keys: string[] = [];
  const answers: Answer[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    keyward = await launch(database.url, { secret: KEYWARD_SECRET });
    forgetful = await launch(database.url, { secret: undefined });
  });
  afterAll(async () => {
    await keyward.stop();
    await forgetful.stop();
    await database.drop();
  });

  /** Sends a call whose answer must not contain a key. */
  const call = async (method: string, url: string, options?: CallOptions): Promise<Answer> => {
    const answer = await keyward.call(method, url, options);
    answers.push(answer);
    return answer;
  };

  /** Sends a call whose answer shows a new key, which may occur nowhere else. */
  const issue = async (url: string, options: CallOptions): Promise<{ id: string; key: string }> => {
    const { status, body } = await keyward.call('POST', url, options);
    expect([200, 201]).toContain(status);
    keys.push(body.key);
    return body;
  };

  const create = (more: object = {}) =>
    issue('/v1/keys', { body: { name: 'a key', metadata: { plan: 'pro' }, ...more } });

  /**
   * What must not occur anywhere: keys, their secret parts, and the secrets of the installation.
   */
  const needles = () => [
    ...keys,
    ...keys.map((key) => partsOf(key).secret),
    ROOT_KEY,
    KEYWARD_SECRET,
  ];

  const expectFree = (text: string) => {
    for (const needle of needles()) {
      for (const disguise of encodingsOf(needle)) expect(text.includes(disguise)).toBe(false);
    }
  };

  const expectNowhere = async () => {
    for (const instance of [keyward, forgetful]) await instance.flush();
    const dump = await dumpDatabase(database.url);
    expect(dump).toContain(partsOf(keys[0] ?? '').ref);
    expectFree(dump);
    const lines = [...keyward.logLines, ...forgetful.logLines].join('');
    expect(lines).toContain('"/v1/keys"');
    expectFree(lines);
    for (const { text, headers } of answers) expectFree(text + JSON.stringify(headers));
  };

  it('a key is never in a row, a log line or an answer, except the one that created it', async () => {
    const { id, key } = await create({ prefix: 'ak_test', ownerId: 'customer_1' });
    for (const instance of [keyward, forgetful]) {
      const verified = await instance.call('POST', '/v1/verify', { body: { key } });
      expect(verified.body.code).toBe('VALID');
      answers.push(verified);
    }
    await call('POST', '/v1/verify', { body: { key, requiredScopes: ['nothing'] } });
    await call('PATCH', `/v1/keys/${id}`, { body: { name: 'renamed', enabled: true } });
    const first = await issue(`/v1/keys/${id}/rotate`, { body: { graceSeconds: 60 } });
    for (const one of [key, first.key]) await call('POST', '/v1/verify', { body: { key: one } });
    await call('POST', `/v1/keys/${id}/rotate`, { body: { graceSeconds: 60 } });
    await issue(`/v1/keys/${id}/rotate`, { body: { graceSeconds: 60, supersede: true } });
    await call('DELETE', `/v1/keys/${id}/retiring-secret`);
    await call('POST', '/v1/verify', { body: { key } });
    await call('POST', `/v1/keys/${id}/explain`, { body: {} });
    await call('GET', `/v1/keys/${id}`);
    await call('GET', `/v1/keys/${id}/usage`);
    await call('GET', '/v1/keys?ownerId=customer_1');
    await call('POST', '/v1/keys/bulk-revoke', { body: { ownerId: 'customer_1', dryRun: true } });
    await call('POST', `/v1/keys/${id}/revoke`, { body: { reason: 'leaked', note: 'on a page' } });
    await call('POST', '/v1/verify', { body: { key: first.key } });
    await call('DELETE', `/v1/keys/${id}`);
    await call('GET', '/v1/audit-events');
    await expectNowhere();
  });

  it('a management key is never in a row, a log line or an answer, except the one that created it', async () => {
    const permissions = ['keys:read', 'keys:verify'];
    const body = { name: 'gateway', permissions };
    const { id, key } = await issue('/v1/management-keys', { body });
    await call('GET', '/v1/keys', { as: key });
    await call('POST', '/v1/keys', { as: key, body: { name: 'not allowed' } });
    await call('POST', '/v1/verify', { as: key, body: { key } });
    const next = await issue(`/v1/management-keys/${id}/rotate`, { body: { graceSeconds: 60 } });
    for (const as of [key, next.key]) await call('GET', '/v1/keys', { as });
    await call('POST', `/v1/management-keys/${id}/revoke`);
    await call('GET', '/v1/keys', { as: next.key });
    await call('GET', `/v1/management-keys/${id}`);
    await call('GET', '/v1/management-keys');
    await expectNowhere();
  });

  it('a repeated creation does not show the key again, and the stored answer does not contain it', async () => {
    const options = { body: { name: 'once' }, headers: { 'idempotency-key': 'attempt-1' } };
    const { id } = await issue('/v1/keys', options);
    const again = await call('POST', '/v1/keys', options);
    expect(again).toMatchObject({ status: 201, body: { id, key: null } });
    await call('POST', '/v1/keys', { ...options, body: { name: 'another' } });
    await expectNowhere();
  });

  it('a key that is sent where it does not belong is refused or ignored, and stored nowhere', async () => {
    const { id, key } = await create();
    const typed = (type: string) => ({ body: key, headers: { 'content-type': type } });
    for (const [method, url, options] of [
      ['GET', `/v1/keys/${key}`, {}],
      ['GET', `/v1/keys/${key}/usage`, {}],
      ['GET', `/${key}`, {}],
      ['GET', `/v1/keys/%zz${key}`, {}],
      ['GET', `/v1/keys/${key.repeat(3)}`, {}],
      ['GET', `/v1/keys?${key}=1`, {}],
      ['GET', `/v1/keys?search=${key}&limit=x`, {}],
      ['GET', `/v1/keys?search=${key}`, {}],
      ['GET', `/v1/keys?cursor=${key}`, {}],
      ['GET', `/v1/audit-events?targetId=${key}`, {}],
      ['GET', '/v1/keys', { as: key }],
      ['GET', '/v1/keys', { as: `${ROOT_KEY}${key}` }],
      ['GET', '/v1/keys', { headers: { 'x-request-id': key } }],
      ['GET', '/v1/keys', { headers: { cookie: key, 'user-agent': key, referer: key } }],
      ['DELETE', `/v1/keys/${id}/retiring-secret`, { headers: { 'if-match': key } }],
      ['POST', '/v1/verify', { body: `{"key": "${key}"` }],
      ['POST', '/v1/verify', { body: `{"key": ${key}}` }],
      ['POST', '/v1/verify', { body: key }],
      ['POST', '/v1/verify', typed('text/plain')],
      ['POST', '/v1/verify', typed('application/x-www-form-urlencoded')],
      ['POST', '/v1/verify', { body: { key: `Bearer ${key}` } }],
      ['POST', '/v1/verify', { body: { key: key.repeat(6) } }],
      ['POST', '/v1/verify', { body: { key: [key] } }],
      ['POST', '/v1/verify', { body: { key, [key]: key } }],
      ['POST', '/v1/verify', { body: { key, resource: key } }],
      ['POST', '/v1/verify', { body: { key, ip: key } }],
      ['POST', '/v1/keys', typed('text/plain')],
      ['POST', '/v1/keys', { body: `{"name": "${key}` }],
      ['POST', '/v1/keys', { body: { name: 'x', [key]: 1 } }],
      ['POST', '/v1/keys', { body: { name: 'x', prefix: key } }],
      ['POST', '/v1/keys', { body: { name: 'x', expiresAt: key } }],
      ['POST', '/v1/keys', { body: { name: 'x', allowedIps: [key] } }],
      ['POST', '/v1/keys', { body: { name: 'x', enabled: key } }],
    ] as [string, string, CallOptions][]) {
      const { status } = await call(method, url, options);
      expect(status).toBeLessThan(500);
    }
    await expectNowhere();
  });

  it('a key in any text that would be stored is refused', async () => {
    const { id, key } = await create();
    const mark = `look: ${key}!`;
    const create_ = (more: object) => ['POST', '/v1/keys', { body: { name: 'x', ...more } }];
    for (const [method, url, options] of [
      create_({ name: mark }),
      create_({ description: mark }),
      create_({ ownerId: key }),
      create_({ scopes: [key] }),
      create_({ resources: [key] }),
      create_({ metadata: { note: mark } }),
      create_({ metadata: { [key]: true } }),
      create_({ metadata: { list: [{ deep: [key] }] } }),
      ['PATCH', `/v1/keys/${id}`, { body: { description: mark } }],
      ['PATCH', `/v1/keys/${id}`, { body: { metadata: { note: key } } }],
      ['POST', `/v1/keys/${id}/revoke`, { body: { reason: 'x', note: mark } }],
      ['POST', '/v1/keys/bulk-revoke', { body: { ownerId: key } }],
      ['POST', '/v1/management-keys', { body: { name: key, permissions: ['keys:read'] } }],
      ['PUT', '/v1/workspaces/acme', { body: { name: mark } }],
      ['POST', '/v1/keys', { body: { name: 'x' }, headers: { 'keyward-actor': key } }],
    ] as [string, string, CallOptions][]) {
      expectProblem(await call(method, url, options), { status: 400, code: 'CONTAINS_KEY' });
    }
    const headers = { 'idempotency-key': key };
    expect((await call('POST', '/v1/keys', { body: { name: 'x' }, headers })).status).toBe(400);
    await expectNowhere();
  });

  it('an internal error while a key is at hand does not write it to the log', async () => {
    const { key } = await create();
    const lost = await launch(database.url, { secret: undefined });
    await lost.service.internals.database.close();
    const answer = await lost.call('POST', '/v1/verify', { body: { key } });
    expectProblem(answer, { status: 503, code: 'UNAVAILABLE' });
    expectFree(lost.logLines.join('') + answer.text);
    await lost.stop();
  });
});
