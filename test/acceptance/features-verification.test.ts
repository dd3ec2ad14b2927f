import { beforeAll, describe, expect, it, vi } from 'vitest';
import { clientOf, verdictOf } from '../support/client.ts';
import {
  makeKey,
  ok,
  refusal,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';

/** One test for each call: docs/features.md names them. */
let program: SharedProgram;
beforeAll(async () => {
  program = await startSharedProgram();
  return program.end;
});

const SEEN_WITHIN = { timeout: 2000, interval: 50 };

describe('verification, call by call', () => {
  it('verifyKey says whether a key is valid, or the first reason why not, always with status 200', async () => {
    const { root } = program;
    const { id, key } = await makeKey(root, { scopes: ['orders:*'], ownerId: 'customer_42' });
    const fit = { key, requiredScopes: ['orders:read'] };
    expect(await ok(root.POST('/v1/verify', { body: fit }))).toMatchObject({
      valid: true,
      code: 'VALID',
      keyId: id,
      ownerId: 'customer_42',
      scopes: ['orders:*'],
    });
    const unfit = { key, requiredScopes: ['members:invite'] };
    const { data, response } = await root.POST('/v1/verify', { body: unfit });
    expect(response.status).toBe(200);
    expect(data).toMatchObject({ code: 'INSUFFICIENT_SCOPE', missingScopes: ['members:invite'] });
    expect(await verdictOf(root, 'ak_live_nobody-issued-this')).toBe('NOT_FOUND');
  });

  it('verifyKeys answers each request of a batch by itself, in order', async () => {
    const { root } = program;
    const { key } = await makeKey(root, { credits: { remaining: 1 } });
    const requests = [{ key }, { key: 'ak_live_unknown' }, { key }];
    const { results } = await ok(root.POST('/v1/verify/batch', { body: { requests } }));
    expect(results.map(({ code }) => code)).toEqual(['VALID', 'NOT_FOUND', 'CREDITS_EXHAUSTED']);
  });

  it('authorize tells a gateway by status and headers whether a request may pass', async () => {
    const { url, root } = program;
    const { id, key } = await makeKey(root, { ownerId: 'customer_42' });
    const gateway = await ok(
      root.POST('/v1/management-keys', { body: { name: 'nginx', permissions: ['keys:verify'] } }),
    );
    const ask = (presented: string) =>
      clientOf(url, presented).GET('/v1/authorize', {
        params: { header: { 'x-keyward-authorization': `Bearer ${gateway.key}` } },
        parseAs: 'text',
      });
    const { response: passed } = await ask(key);
    expect(passed.status).toBe(200);
    expect(passed.headers.get('x-keyward-key-id')).toBe(id);
    expect(passed.headers.get('x-keyward-owner')).toBe('customer_42');
    const { response: stopped } = await ask(`${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`);
    expect(stopped.status).toBe(401);
    expect(stopped.headers.get('x-keyward-code')).toBe('NOT_FOUND');
  });

  it('introspectKey tells a resource server of OAuth whether a key is active, what it may do and whose it is', async () => {
    const { root } = program;
    const { id, key } = await makeKey(root, { scopes: ['orders:read'], ownerId: 'customer_42' });
    const form = { headers: { 'content-type': 'application/x-www-form-urlencoded' } };
    const introspect = (token: string) =>
      ok(root.POST('/v1/introspect', { body: { token }, ...form }));
    expect(await introspect(key)).toMatchObject({
      active: true,
      scope: 'orders:read',
      client_id: id,
      sub: 'customer_42',
      token_type: 'Bearer',
    });
    await ok(root.POST('/v1/keys/{id}/revoke', { params: { path: { id } } }));
    expect(await introspect(key)).toEqual({ active: false });
  });

  it('whoAmI tells the holder of a key what it may do, without requiring any permission', async () => {
    const { url, root } = program;
    const { id, key } = await makeKey(root, { scopes: ['orders:read'] });
    const mine = await ok(clientOf(url, key).GET('/v1/whoami'));
    expect(mine).toMatchObject({ type: 'key', id, scopes: ['orders:read'], permissions: null });
  });

  it('revokeOwnKey revokes the presented key for good', async () => {
    const { url, root } = program;
    const { key } = await makeKey(root);
    const holder = clientOf(url, key);
    const { response } = await holder.POST('/v1/whoami/revoke');
    expect(response.status).toBe(204);
    expect(await verdictOf(root, key)).toBe('REVOKED');
    expect(await refusal(holder.GET('/v1/whoami'))).toBe('401 UNAUTHENTICATED');
  });

  it('getKeyUsage counts each answered verification by verdict and hour', async () => {
    const { root } = program;
    const { id, key } = await makeKey(root, { scopes: ['orders:read'] });
    await verdictOf(root, key);
    await verdictOf(root, key);
    await root.POST('/v1/verify', { body: { key, requiredScopes: ['orders:write'] } });
    const params = { path: { id }, query: { granularity: 'hour' as const } };
    await vi.waitFor(async () => {
      const usage = await ok(root.GET('/v1/keys/{id}/usage', { params }));
      expect(usage.byCode).toEqual({ VALID: 2, INSUFFICIENT_SCOPE: 1 });
      expect(usage.total).toBe(3);
    }, SEEN_WITHIN);
  });

  it('getUsage names the keys that are used most, and what they cost', async () => {
    const { root } = program;
    const { id, key } = await makeKey(root, { name: 'busy', ownerId: 'customer_usage' });
    await root.POST('/v1/verify', { body: { key, cost: 5 } });
    const query = { ownerId: 'customer_usage', groupBy: ['key' as const, 'time' as const] };
    await vi.waitFor(async () => {
      const answer = await root.GET('/v1/usage', { params: { query }, parseAs: 'json' });
      if (answer.data === undefined || typeof answer.data === 'string') throw new Error('no JSON');
      const { data, total } = answer.data;
      expect(data).toMatchObject([{ keyId: id, name: 'busy', verifications: 1, units: 5 }]);
      expect(data[0]?.buckets.at(-1)).toMatchObject({ verifications: 1 });
      expect(total).toEqual({ verifications: 1, units: 5 });
    }, SEEN_WITHIN);
  });
});

describe('health, call by call', () => {
  it('getLiveness answers without a key', async () => {
    expect(await ok(clientOf(program.url, 'none').GET('/livez'))).toEqual({
      status: 'ok',
      checks: {},
    });
  });

  it('getReadiness checks the database and its schema', async () => {
    const checks = { database: 'ok', migrations: 'ok' };
    expect(await ok(program.root.GET('/readyz'))).toEqual({ status: 'ok', checks });
  });

  it('getMetrics tells Prometheus how much of each bound is used', async () => {
    const { data, response } = await program.root.GET('/metrics', { parseAs: 'text' });
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(data).toMatch(/^keyward_bound_used\{bound="requests"\} \d+$/m);
  });
});
