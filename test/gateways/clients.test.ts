import { expect, it } from 'vitest';
import { describeGateways } from './describe-gateways.ts';
import { ANY_KEY, createWeakKey, expectClosed, identityIn } from './expectations.ts';
import type { Sent } from './http.ts';
import { HANDSHAKE } from './socket.ts';

describeGateways(({ name, fixture }) => {
  it(`${name} does not let a client forge its identity`, async () => {
    const { id, key } = await fixture().createKey();
    const forged: [string, string][] = [
      ['X-Keyward-Key-Id', 'key_forged'],
      ['x-keyward-owner', 'admin'],
      ['X-KEYWARD-SCOPES', '*'],
      ['X-Keyward-Scopes', '*'],
      ['X-Keyward-Workspace', 'forged'],
      ['X-Keyward-Truncated', 'owner'],
      ['X_Keyward_Owner', 'admin'],
      ['X-Keyward_Owner', 'admin'],
      ['X-Keyward-Code', 'VALID'],
      ['X-Keyward-Status', '200'],
      ['X-Keyward-Authorization', 'Bearer kw_forged'],
      ['X-Keyward-Authorization', 'Bearer kw_forged; cost=0'],
    ];
    expect((await fixture().sendWith(key, ANY_KEY, { headers: forged })).status).toBe(200);
    expect(identityIn(fixture().received[0])).toEqual({
      'x-keyward-key-id': id,
      'x-keyward-workspace': 'default',
    });
    const names = Object.keys(fixture().received[0]?.headers ?? {});
    expect(names.filter((header) => header.includes('_'))).toEqual([]);
  });

  it(`${name} does not let a client strip its identity by naming it in Connection`, async () => {
    const { id, key } = await fixture().createKey({ ownerId: 'customer_42', scopes: ['a'] });
    const named = 'X-Keyward-Key-Id, x-keyward-owner, X-Keyward-Scopes, X-Keyward-Authorization';
    const forwarded = 'close, X-Forwarded-For';
    for (const connection of [named, `close, ${named}`, `keep-alive,${named}`, forwarded]) {
      const headers: Sent['headers'] = [['Connection', connection]];
      const { status } = await fixture().sendWith(key, ANY_KEY, { headers });
      const request = fixture().received.pop();
      if (status === 200) {
        expect(identityIn(request)).toMatchObject({
          'x-keyward-key-id': id,
          'x-keyward-owner': 'customer_42',
          'x-keyward-scopes': 'a',
        });
        expect(request?.headers.connection ?? '').not.toMatch(/keyward|forwarded/i);
      } else {
        expect({ status, request }).toEqual({ status: 400, request: undefined });
      }
    }
  });

  const QUERY =
    'requiredScopes=projects:read&requiredAnyScope=projects:read&resource=project:alpha' +
    '&ip=203.0.113.7&cost=0&workspaceId=default&mode=none&from=query';
  const OWN_WORDS: [string, string][] = [
    ['X-Keyward-Authorization', 'Bearer kw_forged; requiredScopes=projects:read; cost=0'],
    ['X-Keyward-Authorization', 'projects:read'],
    ['X_Keyward_Authorization', 'Bearer kw_forged; cost=0'],
    ['X-Keyward-Required-Scopes', 'projects:read'],
    ['X-Keyward-Resource', 'project:alpha'],
    ['X-Keyward-Ip', '203.0.113.7'],
    ['X-Keyward-Cost', '0'],
    ['X-Keyward-Mode', 'none'],
    ['X-Forwarded-For', '203.0.113.7'],
    ['X-Real-Ip', '203.0.113.7'],
    ['Forwarded', 'for=203.0.113.7'],
    ['X-Forwarded-Uri', '/projects/alpha'],
    ['X-Forwarded-Method', 'OPTIONS'],
    ['X-Original-Url', '/projects/alpha'],
    ['X-Rewrite-Url', '/projects/alpha'],
    ['X-Http-Method-Override', 'OPTIONS'],
  ];

  it.each<[string, Sent]>([
    ['its query', {}],
    ['its headers', { headers: OWN_WORDS }],
    ['a header named in Connection', { headers: [['Connection', 'X-Keyward-Authorization']] }],
    ['its body', { method: 'POST', body: QUERY }],
    ['a preflight that is none', { method: 'OPTIONS', headers: OWN_WORDS }],
  ])(`${name} does not let a client weaken what is asked by %s`, async (_, sent) => {
    const { key } = await createWeakKey(fixture());
    const bound = await fixture().createKey({ allowedIps: ['203.0.113.7'] });
    const spent = await fixture().createKey({ credits: { remaining: 0 } });
    const refusals: [string, string, number, string][] = [
      [key, '/orders/7', 403, 'INSUFFICIENT_SCOPE'],
      [key, '/orders/', 403, 'INSUFFICIENT_SCOPE'],
      [key, '/%6frders/7', 403, 'INSUFFICIENT_SCOPE'],
      [key, '/projects/beta', 403, 'RESOURCE_NOT_ALLOWED'],
      [bound.key, ANY_KEY, 403, 'IP_NOT_ALLOWED'],
      [spent.key, ANY_KEY, 429, 'CREDITS_EXHAUSTED'],
    ];
    for (const [presented, path, status, code] of refusals) {
      const answer = await fixture().sendWith(presented, `${path}?${QUERY}`, sent);
      // A gateway may also refuse the request as such.
      if (answer.status !== 400) expectClosed(answer, status, code);
    }
    expect(fixture().received).toEqual([]);
  });

  it(`${name} asks about every method alike, and hands the body on whole`, async () => {
    const { key: good } = await fixture().createKey({ scopes: ['orders:read'] });
    const { key: weak } = await createWeakKey(fixture());
    const body = 'x'.repeat(100_000);
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const sent = method === 'GET' || method === 'HEAD' ? { method } : { method, body };
      expect((await fixture().sendWith(weak, '/orders/7', sent)).status).toBe(403);
      expect((await fixture().send('/orders/7', sent)).status).toBe(401);
      expect(fixture().received).toEqual([]);
      expect((await fixture().sendWith(good, '/orders/7', sent)).status).toBe(200);
      const [request] = fixture().received.splice(0);
      expect(request).toMatchObject({ method, body: sent.body ?? '' });
    }
  });

  it.each<[string, Sent]>([
    ['a chunked body', { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body: 'x' }],
    ['a compressed body', { method: 'POST', headers: { 'Content-Encoding': 'gzip' }, body: 'x' }],
    ['a broken content type', { method: 'POST', headers: { 'Content-Type': ';;' }, body: 'x' }],
    ['an expectation', { method: 'POST', headers: { Expect: '100-continue' }, body: 'x' }],
    [
      'an upgrade',
      { headers: [['Connection', 'Upgrade'], ['Upgrade', 'websocket'], ...HANDSHAKE] },
    ],
    ['a range', { headers: { Range: 'bytes=0-0', 'If-None-Match': '*' } }],
    ['much that Keyward does not read', { headers: { Cookie: 'c'.repeat(7000) } }],
  ])(`${name} asks the same about a request with %s`, async (_, sent) => {
    const { key: good } = await fixture().createKey({ scopes: ['orders:read'] });
    const { key: weak } = await createWeakKey(fixture());
    expectClosed(await fixture().sendWith(weak, '/orders/7', sent), 403, 'INSUFFICIENT_SCOPE');
    expect(fixture().received).toEqual([]);
    expect((await fixture().sendWith(good, '/orders/7', sent)).status).toBe(200);
    expect(fixture().received[0]?.body).toBe(sent.body ?? '');
  });

  it(`${name} is closed to headers that are larger than Keyward reads`, async () => {
    const { key } = await fixture().createKey();
    const headers = [1, 2, 3].map((i) => [`X-Large-${i}`, 'x'.repeat(7000)] as const);
    expect((await fixture().sendWith(key, ANY_KEY, { headers })).status).toBeGreaterThanOrEqual(
      400,
    );
    expect(fixture().received).toEqual([]);
  });
});
