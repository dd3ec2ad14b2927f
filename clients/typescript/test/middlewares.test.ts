import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import { dataOf, Keyward, type KeywardError } from '@keyward/client';
import { requireKey } from '@keyward/client/node';
import { guard } from '../dist/guard.js';
import { answerWith, CallProxy, cutAfter, refuseWith } from './proxy.ts';
import { freePort, get, SERVERS } from './servers.ts';
import { at, clientOf, creditsOf, forgedFrom, makeKey, makeVerifier, service } from './service.ts';

let proxy: CallProxy;
let managementKey: string;
before(async () => {
  managementKey = await makeVerifier(service.root);
  proxy = await CallProxy.open(service.url);
});
after(async () => {
  await proxy.close();
});

const scopes = ['orders:read'];
const presenting = (key: string) => ({
  authorization: `Bearer ${key}`,
  ...{ apiKey: undefined, userAgent: undefined, ip: undefined },
});
const PROBLEM = 'application/problem+json; charset=utf-8';

for (const [name, start] of Object.entries(SERVERS)) {
  const withServer = (title: string, run: (orders: string, faults: string[]) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      const keyward = clientOf(proxy.url, { managementKey, retries: 0 });
      const faults: string[] = [];
      const server = await start(keyward, (error) => faults.push(error.code));
      try {
        await run(`${server.url}/orders/alpha`, faults);
      } finally {
        await server.close();
      }
    });

  withServer(
    'a valid key lets the request through, and the handler knows its owner',
    async (orders) => {
      const { key } = await makeKey(service.root, { scopes, ownerId: 'customer_42' });
      const { status, owner } = await get(orders, ['authorization', `Bearer ${key}`]);
      assert.deepEqual([status, owner], [200, 'customer_42']);
      const other = await get(orders, ['x-api-key', key, 'authorization', 'Basic abc']);
      assert.equal(other.status, 200);
    },
  );

  withServer(
    'a request without a key, with a wrong one or with two is 401 with a challenge',
    async (orders) => {
      const { key } = await makeKey(service.root, { scopes });
      const bearer = ['authorization', `Bearer ${key}`];
      const wrong: [string[], string, string][] = [
        [[], 'KEY_MISSING', 'Bearer'],
        [['authorization', 'Basic dXNlcjpwYXNz'], 'KEY_MISSING', 'Bearer'],
        [[...bearer, ...bearer], 'KEY_MISSING', 'Bearer'],
        [
          ['authorization', `Bearer ${forgedFrom(key)}`],
          'NOT_FOUND',
          'Bearer error="invalid_token"',
        ],
        [['x-api-key', key, 'x-api-key', 'other'], 'NOT_FOUND', 'Bearer error="invalid_token"'],
        [['x-api-key', `Bearer ${key}`], 'KEY_WITH_SCHEME', 'Bearer error="invalid_token"'],
      ];
      for (const [headers, code, challenge] of wrong) {
        const seen = await get(orders, headers);
        assert.deepEqual([seen.status, seen.code], [401, code]);
        assert.equal(seen.headers['www-authenticate'], challenge);
        assert.equal(seen.headers['content-type'], PROBLEM);
      }
    },
  );

  withServer('a key without the scope, the resource or the address is 403', async (orders) => {
    const wrong: [Parameters<typeof makeKey>[1], string][] = [
      [{ scopes: ['orders:write'] }, 'INSUFFICIENT_SCOPE'],
      [{ scopes, resources: ['project:beta'] }, 'RESOURCE_NOT_ALLOWED'],
      [{ scopes, allowedIps: ['203.0.113.7'] }, 'IP_NOT_ALLOWED'],
    ];
    for (const [options, code] of wrong) {
      const { key } = await makeKey(service.root, options);
      const forged = ['x-forwarded-for', '203.0.113.7', 'forwarded', 'for=203.0.113.7'];
      const seen = await get(orders, ['authorization', `Bearer ${key}`, ...forged]);
      assert.deepEqual([seen.status, seen.code], [403, code]);
      assert.equal(seen.headers['content-type'], PROBLEM);
      if (code !== 'INSUFFICIENT_SCOPE') continue;
      const challenge = 'Bearer error="insufficient_scope", scope="orders:read"';
      assert.equal(seen.headers['www-authenticate'], challenge);
    }
    const { key } = await makeKey(service.root, { scopes, allowedIps: ['127.0.0.1'] });
    assert.equal((await get(orders, ['authorization', `Bearer ${key}`])).status, 200);
  });

  withServer(
    'a key at its rate limit is 429 with Retry-After, and every answer says how its limits stand',
    async (orders) => {
      const rateLimits = [{ name: 'hourly', limit: 1, windowSeconds: 3600 }];
      const { key } = await makeKey(service.root, { scopes, rateLimits });
      const first = await get(orders, ['authorization', `Bearer ${key}`]);
      assert.equal(first.status, 200);
      const second = await get(orders, ['authorization', `Bearer ${key}`]);
      assert.deepEqual([second.status, second.code], [429, 'RATE_LIMITED']);
      for (const { headers } of [first, second]) {
        assert.equal(headers['ratelimit-policy'], '"hourly";q=1;w=3600');
        assert.match(String(headers.ratelimit), /^"hourly";r=0;t=3[5-7]\d\d$/);
      }
      assert.match(second.headers['retry-after'] ?? '', /^3[5-7]\d\d$/);
      const spent = await makeKey(service.root, { scopes, credits: { remaining: 0 } });
      const third = await get(orders, ['authorization', `Bearer ${spent.key}`]);
      assert.deepEqual([third.status, third.code], [429, 'CREDITS_EXHAUSTED']);
      assert.equal(third.headers['retry-after'], undefined);
      const last = await makeKey(service.root, { scopes, rateLimits, credits: { remaining: 1 } });
      await get(orders, ['authorization', `Bearer ${last.key}`]);
      const fourth = await get(orders, ['authorization', `Bearer ${last.key}`]);
      assert.deepEqual([fourth.status, fourth.code], [429, 'RATE_LIMITED']);
      assert.equal(fourth.headers['retry-after'], undefined);
    },
  );

  withServer(
    'a key that was revoked a moment ago is refused, and one that is replaced is told so',
    async (orders) => {
      const { api } = service.root;
      const { id, key } = await makeKey(service.root, { scopes });
      const old = ['authorization', `Bearer ${key}`];
      await dataOf(api.POST('/v1/keys/{id}/rotate', { ...at(id), body: { graceSeconds: 600 } }));
      const retiring = await get(orders, old);
      assert.equal(retiring.status, 200);
      assert.match(String(retiring.headers.deprecation), /^@\d+$/);
      assert.ok(Date.parse(String(retiring.headers.sunset)) > Date.now());
      await api.POST('/v1/keys/{id}/revoke', at(id));
      const revoked = await get(orders, old);
      assert.deepEqual([revoked.status, revoked.code], [401, 'REVOKED']);
    },
  );

  withServer(
    'without a verdict of Keyward nothing is let through, and only the operator learns why',
    async (orders, faults) => {
      const { key } = await makeKey(service.root, { scopes });
      const bearer = ['authorization', `Bearer ${key}`];
      proxy.next(
        refuseWith(401, 'UNAUTHENTICATED'),
        refuseWith(503, 'UNAVAILABLE', { 'retry-after': '7' }),
        answerWith(200, '{}'),
        cutAfter,
      );
      for (const retryAfter of ['1', '7', '1', '1']) {
        const seen = await get(orders, bearer);
        assert.deepEqual([seen.status, seen.code], [503, 'UNAVAILABLE']);
        assert.equal(seen.headers['retry-after'], retryAfter);
      }
      assert.deepEqual(faults, ['UNAUTHENTICATED', 'UNAVAILABLE', 'BAD_ANSWER', 'NO_ANSWER']);
      assert.equal((await get(orders, bearer)).status, 200);
    },
  );

  withServer('a verdict that this version does not know is 403', async (orders) => {
    const { key } = await makeKey(service.root, { scopes });
    const verdict = await service.root.verify({ key });
    proxy.next(answerWith(200, { ...verdict, valid: false, code: 'QUARANTINED' }));
    const seen = await get(orders, ['authorization', `Bearer ${key}`]);
    assert.deepEqual([seen.status, seen.code], [403, 'QUARANTINED']);
  });

  withServer(
    'a resource that no key can have is the fault of the client: 403, and no fault is reported',
    async (orders, faults) => {
      const { key } = await makeKey(service.root, { scopes });
      for (const made of ['a'.repeat(300), 'a\u0001', 'a\u202eb']) {
        const url = orders.replace('alpha', encodeURIComponent(made));
        const seen = await get(url, ['authorization', `Bearer ${key}`]);
        assert.deepEqual([seen.status, seen.code, faults], [403, 'RESOURCE_NOT_ALLOWED', []]);
      }
    },
  );
}

test('a request costs what the route says, and nothing where it is refused', async () => {
  const { root } = service;
  const { id, key } = await makeKey(root, { credits: { remaining: 10 } });
  const priced = requireKey({ keyward: root, cost: ({ method }) => (method === 'GET' ? 3 : 5) });
  const server = createServer(async (call, response) => {
    if (await priced(call, response)) response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const url = `http://127.0.0.1:${address.port}/`;
  const bearer = ['authorization', `Bearer ${key}`];
  const statuses = [];
  for (let count = 0; count < 4; count++) statuses.push((await get(url, bearer)).status);
  server.close();
  assert.deepEqual(statuses, [200, 200, 200, 429]);
  assert.equal(await creditsOf(root, id), 1);
});

test('an empty list of scopes, or an option with a misspelt name, is refused when the route is made', () => {
  const keyward = new Keyward({ url: 'http://127.0.0.1:1', managementKey: 'kw_x' });
  assert.throws(() => requireKey({ keyward, scopes: [] }), TypeError);
  assert.throws(() => requireKey({ keyward, anyScope: [] }), TypeError);
  const misspelt = { keyward, scope: ['orders:read'] };
  assert.throws(() => requireKey(misspelt), /no option scope; there are keyward, scopes/);
  const constants: Record<string, string[]> = {};
  const undefinedScopes = { keyward, scopes: constants.read };
  // @ts-expect-error: only JavaScript gets that far.
  assert.throws(() => requireKey(undefinedScopes), /scopes is undefined/);
});

test('a route whose resource is not known for a request refuses it', async () => {
  const { root } = service;
  const { key } = await makeKey(root);
  const nothing: Record<string, string> = {};
  const options = { keyward: root, resource: () => nothing.project ?? '' };
  const { verdict } = await guard(options)({}, presenting(key));
  assert.equal(verdict, null);
});

test('a route whose own functions throw lets nothing through, and tells the operator alone', async () => {
  const { root } = service;
  const { key } = await makeKey(root);
  const faults: KeywardError[] = [];
  const onError = (error: KeywardError) => faults.push(error);
  const fail = () => {
    throw new URIError(`not readable: ${key}`);
  };
  for (const broken of [{ resource: fail }, { cost: fail }, { ip: fail }, { key: fail }]) {
    const decision = await guard({ keyward: root, onError, ...broken })({}, presenting(key));
    assert.ok(decision.verdict === null);
    assert.equal(decision.refusal.status, 503);
  }
  assert.deepEqual(new Set(faults.map(({ code }) => code)), new Set(['NOT_ASKED']));
  assert.equal(faults.length, 4);
  assert.match(String(faults[0]), /URIError/);
  assert.ok(!inspect(faults, { depth: 9 }).includes(key));
});

test('a resource that a client makes up, which Keyward would not take, is 403 and no fault of Keyward', async () => {
  const { root } = service;
  const { key } = await makeKey(root);
  const faults: KeywardError[] = [];
  const onError = (error: KeywardError) => faults.push(error);
  for (const made of ['a\u0001', 'a\nb', ' ', '\u202ea', '\ud800', '\u0085', 'a'.repeat(257)]) {
    const decide = guard({ keyward: root, onError, resource: () => made });
    const decision = await decide({}, presenting(key));
    assert.ok(decision.verdict === null);
    assert.equal(decision.refusal.status, 403);
  }
  assert.deepEqual(faults, []);
});

test('an address that is none opens no key that is bound to addresses, and is no fault of Keyward', async () => {
  const { root } = service;
  const open = await makeKey(root);
  const bound = await makeKey(root, { allowedIps: ['127.0.0.1', '::1', 'fe80::1'] });
  const statusOf = async ({ key }: { key: string }, ip: string) => {
    const decision = await guard({ keyward: root })({}, { ...presenting(key), ip });
    return decision.verdict === null ? decision.refusal.status : 200;
  };
  for (const ip of [
    'unknown',
    '127.0.0.1:80',
    '[::1]',
    '999.0.0.1',
    '127.1',
    '0x7f.0.0.1',
    '::1::',
  ]) {
    assert.deepEqual([ip, await statusOf(open, ip), await statusOf(bound, ip)], [ip, 200, 403]);
  }
  for (const ip of ['127.0.0.1', '::ffff:127.0.0.1', '::1', 'fe80::1%eth0', 'FE80::1']) {
    assert.deepEqual([ip, await statusOf(bound, ip)], [ip, 200]);
  }
});

test('an outage is told once a second, and not for each request', async (context) => {
  const lines = context.mock.method(console, 'error', () => {});
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const keyward = new Keyward({ url, managementKey: 'kw_x', retries: 0 });
  const decide = guard({ keyward });
  const began = performance.now();
  const decisions = await Promise.all(
    Array.from({ length: 50 }, () => decide({}, presenting('x'))),
  );
  assert.ok(decisions.every(({ verdict }) => verdict === null));
  const seconds = Math.ceil((performance.now() - began) / 1000);
  assert.ok(lines.mock.callCount() <= seconds);
  assert.match(String(lines.mock.calls[0]?.arguments[0]), /UNREACHABLE/);
});
