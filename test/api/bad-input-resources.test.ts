import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { RefusalChecker } from '../support/refusals.ts';

type Case = [what: string, body: unknown, pointer: string];

const TEXTS = (field: string, more: object = {}): Case[] =>
  ['', ' \t', 'a\0b', 'a\ud800b', 'x'.repeat(1001), 1, {}].map((value) => [
    `${field} ${JSON.stringify(value).slice(0, 20)}`,
    { ...more, [field]: value },
    `/body/${field}`,
  ]);

describe('input that does not fit is refused with a pointer to it, and writes nothing', () => {
  let database: TestDatabase;
  let keyward: Instance;
  let refusals: RefusalChecker;
  let id: string;
  let managerId: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    keyward = await launch(database.url);
    refusals = await RefusalChecker.open(database.url);
    id = (await keyward.call('POST', '/v1/keys', { body: { name: 'one' } })).body.id;
    const body = { name: 'manager', permissions: ['keys:read'] };
    managerId = (await keyward.call('POST', '/v1/management-keys', { body })).body.id;
  });
  afterAll(async () => {
    await refusals.close();
    await keyward.stop();
    await database.drop();
  });

  const refused = (method: string, url: string, body: unknown, pointer?: string) =>
    refusals.expectRefused(() => keyward.call(method, url, body === undefined ? {} : { body }), {
      status: 400,
      code: 'INVALID_REQUEST',
      ...(pointer === undefined ? {} : { pointer }),
    });

  const ROTATIONS: Case[] = [
    ['no body', undefined, '/body/graceSeconds'],
    ['no grace', {}, '/body/graceSeconds'],
    ...[-1, 0.5, '60', null, 30 * 86_400 + 1].map(
      (graceSeconds): Case => [
        `graceSeconds ${JSON.stringify(graceSeconds)}`,
        { graceSeconds },
        '/body/graceSeconds',
      ],
    ),
    ['supersede a text', { graceSeconds: 0, supersede: 'true' }, '/body/supersede'],
    ['an unknown field', { graceSeconds: 0, grace: 1 }, '/body/grace'],
  ];
  it.each(ROTATIONS)(
    'a rotation with a wrong field is refused, points to it, and writes nothing: %s',
    async (_what, body, pointer) => {
      await refused('POST', `/v1/keys/${id}/rotate`, body, pointer);
      await refused('POST', `/v1/management-keys/${managerId}/rotate`, body, pointer);
    },
  );

  it.each<Case>([
    ['no ids', { ids: [] }, '/body/ids'],
    ['ids not a list', { ids: 'key_1' }, '/body/ids'],
    ['dryRun a text', { ownerId: 'x', dryRun: 'false' }, '/body/dryRun'],
    ['an unknown filter', { ownerId: 'x', owner: 'y' }, '/body/owner'],
    ...TEXTS('ownerId'),
    ...TEXTS('note', { ownerId: 'x' }),
  ])(
    'a bulk revocation with a wrong field is refused, points to it, and writes nothing: %s',
    async (_what, body, pointer) => {
      await refused('POST', '/v1/keys/bulk-revoke', body, pointer);
    },
  );

  it('a bulk revocation without a filter, or with two, is refused and writes nothing', async () => {
    const both = { ids: [id], ownerId: 'x' };
    for (const body of [undefined, {}, { dryRun: true }, both]) {
      const answer = await keyward.call('POST', '/v1/keys/bulk-revoke', { body });
      expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    }
    expect((await keyward.call('GET', `/v1/keys/${id}`)).body.status).toBe('active');
  });

  it.each<Case>([
    ...TEXTS('name'),
    ['apiAccess a text', { apiAccess: 'true' }, '/body/apiAccess'],
    ['maxActiveKeys below zero', { maxActiveKeys: -1 }, '/body/maxActiveKeys'],
    ['maxActiveKeys 1.5', { maxActiveKeys: 1.5 }, '/body/maxActiveKeys'],
    ['maxActiveKeys beyond integers', { maxActiveKeys: 1e10 }, '/body/maxActiveKeys'],
    ['maxLifetimeSeconds 0', { maxLifetimeSeconds: 0 }, '/body/maxLifetimeSeconds'],
    ['maxLifetimeSeconds 1e10', { maxLifetimeSeconds: 1e10 }, '/body/maxLifetimeSeconds'],
    ['requireExpiry a number', { requireExpiry: 1 }, '/body/requireExpiry'],
    ['a bad defaultPrefix', { defaultPrefix: 'AK' }, '/body/defaultPrefix'],
    ['the prefix of management keys', { defaultPrefix: 'kw' }, '/body/defaultPrefix'],
    ['availableScopes a text', { availableScopes: 'read' }, '/body/availableScopes'],
    ['an available scope without name', { availableScopes: [{}] }, '/body/availableScopes/0/scope'],
    ['an unknown field', { maxkeys: 1 }, '/body/maxkeys'],
    ['status, which is not set this way', { status: 'suspended' }, '/body/status'],
  ])(
    'a workspace with a wrong field is refused, points to it, and writes nothing: %s',
    async (_what, body, pointer) => {
      await refused('PUT', '/v1/workspaces/acme', body, pointer);
      await refused('PATCH', '/v1/workspaces/default', body, pointer);
    },
  );

  it.each(['a b', 'x'.repeat(65), '%C3%A9', 'a%2Fb', '%00', 'a:b'])(
    'a workspace with the id %j is refused and writes nothing',
    async (bad) => {
      await refused('PUT', `/v1/workspaces/${encodeURI(decodeURI(bad))}`, {}, '/path/id');
      await refused(
        'GET',
        `/v1/keys?workspaceId=${bad.replace(' ', '+')}`,
        undefined,
        '/query/workspaceId',
      );
    },
  );

  const manager = (more: object) => ({ name: 'x', permissions: ['keys:read'], ...more });
  it.each<Case>([
    ...TEXTS('name', { permissions: ['keys:read'] }),
    ['no permissions', { name: 'x' }, '/body/permissions'],
    ['an empty list of permissions', manager({ permissions: [] }), '/body/permissions'],
    ['an unknown permission', manager({ permissions: ['keys:all'] }), '/body/permissions/0'],
    [
      'a permission twice',
      manager({ permissions: ['keys:read', 'keys:read'] }),
      '/body/permissions',
    ],
    ['an expiry in the past', manager({ expiresAt: '2001-01-01T00:00:00Z' }), '/body/expiresAt'],
    [
      'both forms of expiry',
      manager({ expiresAt: '2098-01-01T00:00:00Z', expiresInSeconds: 9 }),
      '/body/expiresInSeconds',
    ],
    ['a bad workspace', manager({ workspaceId: 'a b' }), '/body/workspaceId'],
    ['an unknown field', manager({ scopes: [] }), '/body/scopes'],
  ])(
    'a management key with a wrong field is refused, points to it, and writes nothing: %s',
    async (_what, body, pointer) => {
      await refused('POST', '/v1/management-keys', body, pointer);
    },
  );

  it.each(['', 'a b', 'é', 'x'.repeat(129), '""'])(
    'the Idempotency-Key %j is refused and nothing is written',
    async (key) => {
      const options = { body: { name: 'x' }, headers: { 'idempotency-key': key } };
      await refusals.expectRefused(() => keyward.call('POST', '/v1/keys', options), {
        status: 400,
        code: 'INVALID_REQUEST',
        pointer: '/headers/idempotency-key',
      });
    },
  );

  it.each([
    ['status=asleep', '/query/status/0'],
    ['search=', '/query/search'],
    ['search=%00', '/query/search'],
    ['sort=-name', '/query/sort'],
    ['neverUsed=maybe', '/query/neverUsed'],
    ['createdAfter=today', '/query/createdAfter'],
    ['lastUsedBefore=2030-02-30T00:00:00Z', '/query/lastUsedBefore'],
    ['prefix=AK', '/query/prefix'],
    ['scope=a%20b', '/query/scope'],
    ['ownerId=a&ownerId=b', '/query/ownerId'],
  ])('a list with a wrong parameter is refused and points to it: %s', async (query, pointer) => {
    await refused('GET', `/v1/keys?${query}`, undefined, pointer);
  });

  it('the last day of four-digit years is accepted as an expiry', async () => {
    const expiresAt = '9999-12-31T23:59:59.999Z';
    const created = await keyward.call('POST', '/v1/keys', { body: { name: 'x', expiresAt } });
    expect(created).toMatchObject({ status: 201, body: { expiresAt, status: 'active' } });
  });
});
