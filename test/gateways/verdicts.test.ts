import { expect, it } from 'vitest';
import { at } from '../support/shared-program.ts';
import { describeGateways } from './describe-gateways.ts';
import { ANY_KEY, createWeakKey, expectClosed, identityIn, perMinute } from './expectations.ts';

describeGateways(({ name, fixture }) => {
  it(`${name} lets a valid key through, with its identity and without the key`, async () => {
    const { id, key } = await fixture().createKey({ ownerId: 'Zoë:42', scopes: ['orders:*'] });
    for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]) {
      const answer = await fixture().send('/orders/7?page=2&x=%2f', { headers });
      expect(answer).toMatchObject({ status: 200, body: 'from the API' });
      const [request] = fixture().received.splice(0);
      expect(request?.url).toBe('/orders/7?page=2&x=%2f');
      expect(identityIn(request)).toEqual({
        'x-keyward-key-id': id,
        'x-keyward-owner': 'Zo%C3%AB:42',
        'x-keyward-scopes': 'orders:*',
        'x-keyward-workspace': 'default',
      });
      expect(JSON.stringify(request)).not.toContain(key);
    }
  });

  it(`${name} stops a request without a key, with an unknown one, or with two`, async () => {
    const none = await fixture().send('/orders/7');
    expectClosed(none, 401, 'KEY_MISSING');
    expect(none.headers['www-authenticate']).toBe('Bearer realm="keyward"');
    const headers = { authorization: 'Bearer ak_live_nonsense' };
    const bad = await fixture().send('/orders/7', { headers });
    expectClosed(bad, 401, 'NOT_FOUND');
    expect(bad.headers['www-authenticate']).toContain('error="invalid_token"');
    const { key } = await fixture().createKey({ scopes: ['orders:read'] });
    const { key: other } = await fixture().createKey({ scopes: ['orders:read'] });
    const two = { headers: [['X-API-Key', other] as const] };
    expectClosed(await fixture().sendWith(key, '/orders/7', two), 401, 'KEY_AMBIGUOUS');
    expect(fixture().received).toEqual([]);
  });

  it(`${name} stops a key that lacks the scope, is of another project, or is bound to other addresses`, async () => {
    const { key } = await createWeakKey(fixture());
    const lacking = await fixture().sendWith(key, '/orders/7');
    expectClosed(lacking, 403, 'INSUFFICIENT_SCOPE');
    expect(lacking.headers['www-authenticate']).toContain('scope="orders:read"');
    const beta = await fixture().sendWith(key, '/projects/beta');
    expectClosed(beta, 403, 'RESOURCE_NOT_ALLOWED');
    const elsewhere = await fixture().createKey({ allowedIps: ['203.0.113.0/24'] });
    expectClosed(await fixture().sendWith(elsewhere.key, ANY_KEY), 403, 'IP_NOT_ALLOWED');
    expect(fixture().received).toEqual([]);
    expect((await fixture().sendWith(key, '/projects/alpha/x')).status).toBe(200);
    const here = await fixture().createKey({ allowedIps: ['127.0.0.0/8'] });
    expect((await fixture().sendWith(here.key, ANY_KEY)).status).toBe(200);
  });

  it(`${name} stops a key that was revoked a moment ago`, async () => {
    const { id, key } = await fixture().createKey();
    for (let i = 0; i < 3; i++) expect((await fixture().sendWith(key, ANY_KEY)).status).toBe(200);
    await fixture().root.POST('/v1/keys/{id}/revoke', at(id));
    expectClosed(await fixture().sendWith(key, ANY_KEY), 401, 'REVOKED');
    expect(fixture().received).toHaveLength(3);
  });

  it(`${name} tells a client how its rate limits stand, and when to retry once one is reached`, async () => {
    const { key } = await fixture().createKey({ rateLimits: [perMinute(1)] });
    const passed = await fixture().sendWith(key, ANY_KEY);
    const limited = await fixture().sendWith(key, ANY_KEY);
    expect(passed.status).toBe(200);
    expectClosed(limited, 429, 'RATE_LIMITED');
    for (const { headers } of [passed, limited]) {
      expect(headers['ratelimit-policy']).toBe('"minute";q=1;w=60');
      expect(headers.ratelimit).toMatch(/^"minute";r=0;t=\d\d$/);
    }
    expect(passed.headers).not.toHaveProperty('retry-after');
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    expect(fixture().received).toHaveLength(1);
    const unlimited = await fixture().sendWith((await fixture().createKey()).key, ANY_KEY);
    for (const absent of ['ratelimit', 'ratelimit-policy', 'deprecation', 'sunset']) {
      expect(unlimited.headers).not.toHaveProperty(absent);
    }
  });

  it(`${name} sends no Retry-After if no credits are left, because waiting does not help`, async () => {
    const { key } = await fixture().createKey({ credits: { remaining: 0 } });
    const empty = await fixture().sendWith(key, ANY_KEY);
    expectClosed(empty, 429, 'CREDITS_EXHAUSTED');
    expect(empty.headers).not.toHaveProperty('retry-after');
  });

  it(`${name} tells the client of a retiring string until when it is valid`, async () => {
    const { id, key } = await fixture().createKey();
    const body = { graceSeconds: 3600 };
    await fixture().root.POST('/v1/keys/{id}/rotate', { ...at(id), body });
    const { headers } = await fixture().sendWith(key, ANY_KEY);
    expect(Date.parse(String(headers.sunset))).toBeGreaterThan(Date.now());
    expect(headers.deprecation).toMatch(/^@\d+$/);
  });

  it(`${name} hands on what the API itself answers, a 401 or 429 of its own included`, async () => {
    const { key } = await fixture().createKey();
    for (const status of [201, 401, 403, 404, 429, 500]) {
      const answer = await fixture().sendWith(key, `/reports/own/${status}`);
      expect(answer).toMatchObject({ status, body: 'from the API' });
    }
  });

  it(`${name} lets the largest key through, with the whole owner and a mark that scopes are cut`, async () => {
    const scopes = Array.from({ length: 100 }, (_, i) => `s${i}:`.padEnd(128, 'x'));
    const rateLimits = [1, 2, 3, 4, 5].map((i) => ({
      name: `limit_${i}`.padEnd(32, 'x'),
      limit: 1_000_000,
      windowSeconds: 86_400,
    }));
    for (const ownerId of ['😀'.repeat(128), '客'.repeat(128)]) {
      const { key } = await fixture().createKey({ scopes, ownerId, rateLimits });
      expect((await fixture().sendWith(key, ANY_KEY)).status).toBe(200);
      const [request] = fixture().received.splice(0);
      const identity = identityIn(request);
      expect(decodeURIComponent(identity['x-keyward-owner'] ?? '')).toBe(ownerId);
      expect(identity['x-keyward-truncated']).toBe('scopes');
      expect(identity['x-keyward-scopes']?.split(' ')).toEqual(scopes.slice(0, 31));
    }
  });
});
