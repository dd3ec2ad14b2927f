import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch, ROOT_KEY } from '../support/instance.ts';
import { expectProblem } from '../support/refusals.ts';
import { warmKey, warmManagementKey } from '../support/warm.ts';

describe('whoami', () => {
  let database: TestDatabase;
  let first: Instance;
  let second: Instance;

  beforeAll(async () => {
    database = await createTestDatabase();
    first = await launch(database.url);
    second = await launch(database.url);
  });
  afterAll(async () => {
    await first.stop();
    await second.stop();
    await database.drop();
  });

  const post = async (url: string, body: object = {}) =>
    (await first.call('POST', url, { body })).body;
  const createKey = (body: object = {}) => post('/v1/keys', { name: 'a key', ...body });
  const createManagementKey = (body: object = {}) =>
    post('/v1/management-keys', { name: 'a service', permissions: ['keys:read'], ...body });
  const whoami = (as: string | null, instance = first) =>
    instance.call('GET', '/v1/whoami', { as });
  const revokeOwn = (as: string | null, instance = first) =>
    instance.call('POST', '/v1/whoami/revoke', { as });
  const refused = { status: 401, code: 'UNAUTHENTICATED' };

  it("whoami tells a customer key's holder what the key is and may do", async () => {
    const policy = { ownerId: 'customer_42', scopes: ['a', 'b:*'], resources: ['project:alpha'] };
    const { id, key, start } = await createKey({ ...policy, expiresAt: '2999-01-01T00:00:00Z' });
    const { status, body, headers } = await whoami(key, second);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        type: 'key',
        id,
        start,
        name: 'a key',
        workspaceId: 'default',
        ...policy,
        permissions: null,
        expiresAt: '2999-01-01T00:00:00.000Z',
        rateLimits: [],
        credits: null,
        rotation: { retiring: false, validUntil: null },
      },
    });
    expect(headers['cache-control']).toBe('no-store');
  });

  it("whoami tells a management key's holder what the key is and may do", async () => {
    const { id, key, start } = await createManagementKey({ workspaceId: 'default' });
    expect((await whoami(key)).body).toEqual({
      type: 'management_key',
      id,
      start,
      name: 'a service',
      workspaceId: 'default',
      ownerId: null,
      scopes: null,
      resources: null,
      permissions: ['keys:read'],
      expiresAt: null,
      rateLimits: null,
      credits: null,
      rotation: { retiring: false, validUntil: null },
    });
    const root = (await whoami(ROOT_KEY)).body;
    expect(root).toMatchObject({ type: 'root', id: 'root', start: null, workspaceId: null });
    expect(root.permissions).toContain('keys:verify');
  });

  it('whoami shows how the limits of the key stand, in the body and by RateLimit headers, and consumes nothing', async () => {
    const rateLimits = [{ name: 'minute', limit: 5, windowSeconds: 60 }];
    const { key } = await createKey({ rateLimits, credits: { remaining: 9 } });
    await post('/v1/verify', { key, cost: 2 });
    for (const instance of [first, second]) {
      const { body, headers } = await whoami(key, instance);
      expect(body.rateLimits).toEqual([
        { ...rateLimits[0], remaining: 3, resetAt: expect.any(String) },
      ]);
      expect(body.credits).toEqual({ remaining: 7, refill: null });
      expect(headers['ratelimit-policy']).toBe('"minute";q=5;w=60');
      expect(headers.ratelimit).toMatch(/^"minute";r=3;t=\d+$/);
    }
    const unlimited = await createKey();
    expect((await whoami(unlimited.key)).headers).not.toHaveProperty('ratelimit');
  });

  it('whoami answers whatever addresses the key is bound to, and shows that its string is being replaced', async () => {
    const { id, key } = await createKey({ allowedIps: [], resources: [] });
    await post(`/v1/keys/${id}/rotate`, { graceSeconds: 3600 });
    expect((await whoami(key)).body).toMatchObject({
      id,
      rotation: { retiring: true, validUntil: expect.any(String) },
    });
  });

  it('whoami knows imported keys too', async () => {
    const key = 'legacy.key/0123456789+abcdef';
    const hash = { algorithm: 'sha256', value: createHash('sha256').update(key).digest('hex') };
    await post('/v1/keys/import', { keys: [{ name: 'legacy', hash }] });
    expect((await whoami(key)).body).toMatchObject({ type: 'key', name: 'legacy', start: null });
    expect((await revokeOwn(key, second)).status).toBe(204);
    expectProblem(await whoami(key), refused);
  });

  it('whoami answers everything that is not valid with the same 401', async () => {
    const [live, disabled, revoked, rotated, scheduled, expired] = await Promise.all([
      createKey(),
      createKey({ enabled: false }),
      createKey(),
      createKey(),
      createKey({ notBefore: '2999-01-01T00:00:00Z' }),
      createManagementKey({ expiresInSeconds: 1 }),
    ]);
    await post(`/v1/keys/${revoked.id}/revoke`);
    await post(`/v1/keys/${rotated.id}/rotate`, { graceSeconds: 0 });
    await first.call('PUT', '/v1/workspaces/tenant', { body: {} });
    const suspended = await createKey({ workspaceId: 'tenant' });
    await post('/v1/workspaces/tenant/suspend');
    first.advance(2000);
    const dead = [disabled, revoked, rotated, scheduled, expired, suspended].map(({ key }) => key);
    const presented = [
      null,
      'nonsense',
      `${live.key}x`,
      `${live.key.slice(0, -8)}00000000`,
      ...dead,
    ];
    const bodies = new Set<string>();
    for (const key of presented) {
      for (const answer of [await whoami(key), await revokeOwn(key)]) {
        expectProblem(answer, refused);
        bodies.add(JSON.stringify({ ...answer.body, requestId: '' }));
      }
    }
    expect(bodies.size).toBe(1);
  });

  it('whoami is not counted as a use', async () => {
    const [key, managementKey] = [await createKey(), await createManagementKey()];
    await whoami(key.key);
    await whoami(managementKey.key);
    await whoami(`${key.key.slice(0, -8)}00000000`);
    await first.flush();
    const { body } = await first.call('GET', `/v1/keys/${key.id}`);
    expect(body.usage).toEqual({
      total: 0,
      lastUsedAt: null,
      lastDeniedAt: null,
      lastUsedFrom: null,
    });
    const read = await first.call('GET', `/v1/management-keys/${managementKey.id}`);
    expect(read.body.lastUsedAt).toBeNull();
  });

  it('a key that its holder revokes is revoked at once on every instance, and has an audit entry', async () => {
    const { id, key } = await createKey();
    await warmKey(key, first, second);
    const { status, text } = await revokeOwn(key);
    expect({ status, text }).toEqual({ status: 204, text: '' });
    const verdict = await second.call('POST', '/v1/verify', { body: { key } });
    expect(verdict.body.code).toBe('REVOKED');
    expectProblem(await whoami(key, second), refused);
    expectProblem(await revokeOwn(key), refused);
    const actor = { type: 'key', id, onBehalfOf: null };
    const { body } = await first.call('GET', `/v1/keys/${id}`);
    expect(body).toMatchObject({ status: 'revoked', revokeReason: 'given_up', revokedBy: actor });
    const events = await first.call('GET', '/v1/audit-events?limit=200');
    const about = events.body.data.filter((e: { target: { id: string } }) => e.target.id === id);
    expect(about.map(({ action }: { action: string }) => action)).toEqual([
      'key.revoked',
      'key.created',
    ]);
    expect(about[0]).toMatchObject({
      actor,
      before: { revokedAt: null },
      after: { revokeReason: 'given_up' },
    });
    expect(events.text).not.toContain(key);
  });

  it('a management key that its holder revokes is revoked at once on every instance', async () => {
    const { id, key } = await createManagementKey();
    await warmManagementKey(key, second);
    expect((await revokeOwn(key)).status).toBe(204);
    expect((await second.call('GET', '/v1/keys', { as: key })).status).toBe(401);
    expectProblem(await revokeOwn(key, second), refused);
    const { body } = await first.call('GET', `/v1/management-keys/${id}`);
    expect(body).toMatchObject({ status: 'revoked', revokedBy: { type: 'management_key', id } });
  });

  it('of many concurrent calls that revoke the presented key one succeeds', async () => {
    const { id, key } = await createKey();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => revokeOwn(key, i % 2 ? first : second)),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([204, ...Array(19).fill(401)]);
    const events = await first.call('GET', '/v1/audit-events?limit=200');
    const revocations = events.body.data.filter(
      (e: { action: string; target: { id: string } }) =>
        e.target.id === id && e.action === 'key.revoked',
    );
    expect(revocations).toHaveLength(1);
  });

  it('a revocation by the holder is rolled back if its audit entry cannot be written', async () => {
    const [key, managementKey] = [await createKey(), await createManagementKey()];
    const sql = await connect(database.url);
    await sql.query('alter table audit_events add constraint sabotage check (false) not valid');
    const statuses = [await revokeOwn(key.key), await revokeOwn(managementKey.key)];
    await sql.query('alter table audit_events drop constraint sabotage');
    expect(statuses.map(({ status }) => status)).toEqual([500, 500]);
    expect((await whoami(key.key, second)).status).toBe(200);
    expect((await whoami(managementKey.key, second)).status).toBe(200);
  });

  it('the root key cannot revoke itself', async () => {
    expectProblem(await revokeOwn(ROOT_KEY), { status: 403, code: 'FORBIDDEN' });
    expect((await whoami(ROOT_KEY)).status).toBe(200);
  });
});
