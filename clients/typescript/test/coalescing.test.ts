import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { KeywardError } from '@keyward/client';
import { answerWith, CallProxy, holdUntil, refuseWith } from './proxy.ts';
import { clientOf, creditsOf, forgedFrom, makeKey, makeVerifier, service } from './service.ts';

let proxy: CallProxy;
beforeEach(async () => {
  proxy = await CallProxy.open(service.url);
});
afterEach(() => proxy.close());

async function codeOf(asked: Promise<{ code: string }>): Promise<string> {
  try {
    return (await asked).code;
  } catch (error) {
    assert.ok(error instanceof KeywardError, String(error));
    return `${error.status} ${error.code} ${error.errors[0]?.pointer ?? ''}`.trim();
  }
}

test('verifications of one turn share few calls, are answered in order, and each fails on its own', async () => {
  const { key } = await makeKey(service.root, { scopes: ['orders:read'] });
  const kinds = [
    { request: { key }, code: 'VALID' },
    { request: { key: forgedFrom(key) }, code: 'NOT_FOUND' },
    { request: { key, requiredScopes: ['orders:write'] }, code: 'INSUFFICIENT_SCOPE' },
    { request: { key: `Bearer ${key}` }, code: '400 KEY_WITH_SCHEME /body/key' },
    { request: { key, ip: 'nowhere' }, code: '400 INVALID_REQUEST /body/ip' },
  ];
  const asked = Array.from({ length: 50 }, () => kinds).flat();
  const keyward = clientOf(proxy.url);
  const codes = await Promise.all(asked.map(({ request }) => codeOf(keyward.verify(request))));
  assert.deepEqual(
    codes,
    asked.map(({ code }) => code),
  );
  assert.deepEqual(
    proxy.calls.map(({ path, items }) => `${path} ${items}`),
    ['/v1/verify/batch 100', '/v1/verify/batch 100', '/v1/verify/batch 50'],
  );
});

test('a verification says the same of a key alone and in a batch, errors included', async () => {
  const { key } = await makeKey(service.root, { credits: { remaining: 9 } });
  const keyward = clientOf(proxy.url);
  for (const request of [{ key, cost: 0 }, { key: 'x' }, { key, cost: -1 }, { key: 'Bearer x' }]) {
    const shown = async (asked: Promise<object>) => {
      const outcome = await asked.catch((error) => ({ ...error, message: error.message }));
      return { ...outcome, requestId: '' };
    };
    const alone = await shown(keyward.verify(request));
    const [inBatch] = await Promise.all([shown(keyward.verify(request)), keyward.verify({ key })]);
    assert.deepEqual(inBatch, alone);
  }
});

test('a lone verification is asked for at once, and what comes while it is under way goes together', async () => {
  const { key } = await makeKey(service.root);
  const gate = Promise.withResolvers<void>();
  const seen = Promise.withResolvers<void>();
  proxy.next(async (forward, response) => {
    seen.resolve();
    await holdUntil(gate.promise)(forward, response);
  });
  const keyward = clientOf(proxy.url, { maxInFlight: 1 });
  const first = keyward.verify({ key });
  await seen.promise;
  const others = [];
  for (let count = 0; count < 30; count++) {
    others.push(keyward.verify({ key }));
    await new Promise(setImmediate);
  }
  gate.resolve();
  const verdicts = await Promise.all([first, ...others]);
  assert.ok(verdicts.every(({ valid }) => valid));
  assert.deepEqual(
    proxy.calls.map(({ path, items }) => `${path} ${items}`),
    ['/v1/verify 1', '/v1/verify/batch 30'],
  );
});

test('no more calls than allowed are under way at once, and with maxBatch 1 each is asked for alone', async () => {
  const { key } = await makeKey(service.root);
  const keyward = clientOf(proxy.url, { maxInFlight: 2, maxBatch: 1 });
  let underWay = 0;
  let most = 0;
  const watch = holdUntil(Promise.resolve());
  proxy.next(
    ...Array.from({ length: 10 }, () => async (...call: Parameters<typeof watch>) => {
      most = Math.max(most, ++underWay);
      await watch(...call);
      underWay--;
    }),
  );
  await Promise.all(Array.from({ length: 10 }, () => keyward.verify({ key })));
  assert.deepEqual(new Set(proxy.paths), new Set(['/v1/verify']));
  assert.equal(proxy.calls.length, 10);
  assert.ok(most <= 2);
});

test('a batch that fails, fails each of its verifications alike', async () => {
  proxy.next(refuseWith(503, 'UNAVAILABLE', { 'retry-after': '1' }));
  const keyward = clientOf(proxy.url);
  const asked = ['a', 'b', 'c'].map((key) => codeOf(keyward.verify({ key })));
  assert.deepEqual(await Promise.all(asked), Array(3).fill('503 UNAVAILABLE'));
  assert.equal(proxy.calls.length, 1);
});

test('a batch that is answered with too few results has none', async () => {
  proxy.next(answerWith(200, { results: [] }));
  const keyward = clientOf(proxy.url);
  const asked = ['a', 'b'].map((key) => codeOf(keyward.verify({ key })));
  assert.deepEqual(await Promise.all(asked), Array(2).fill('200 BAD_ANSWER'));
});

test('what waits for a call is bounded, and what is beyond is refused at once', async () => {
  const gate = Promise.withResolvers<void>();
  proxy.next(holdUntil(gate.promise));
  const keyward = clientOf(proxy.url, { maxInFlight: 1, maxQueued: 5 });
  const first = codeOf(keyward.verify({ key: 'x' }));
  await Promise.resolve();
  const others = Array.from({ length: 8 }, () => codeOf(keyward.verify({ key: 'x' })));
  const refused = await Promise.all(others.slice(5));
  assert.deepEqual(refused, Array(3).fill('null QUEUE_FULL'));
  gate.resolve();
  const codes = await Promise.all([first, ...others.slice(0, 5)]);
  assert.deepEqual(codes, Array(6).fill('NOT_FOUND'));
});

test('one who gives up while waiting is not asked for, and spends nothing', async () => {
  const { id, key } = await makeKey(service.root, { credits: { remaining: 10 } });
  const gate = Promise.withResolvers<void>();
  proxy.next(holdUntil(gate.promise));
  const keyward = clientOf(proxy.url, { maxInFlight: 1 });
  const first = keyward.verify({ key });
  await Promise.resolve();
  const controller = new AbortController();
  const leaving = keyward.verify({ key }, { signal: controller.signal });
  const staying = keyward.verify({ key });
  controller.abort(new Error('gone'));
  await assert.rejects(leaving, /gone/);
  gate.resolve();
  assert.ok((await first).valid);
  assert.ok((await staying).valid);
  assert.deepEqual(proxy.paths, ['/v1/verify', '/v1/verify']);
  assert.equal(await creditsOf(service.root, id), 8);
});

test('a management key with few requests a second gets batches that it may send, and nothing is spent twice', async () => {
  const { id, key } = await makeKey(service.root, { credits: { remaining: 100 } });
  const managementKey = await makeVerifier(service.root, { maxRequestsPerSecond: 10 });
  const keyward = clientOf(proxy.url, { managementKey, retries: 20, timeoutMs: 20_000 });
  const verdicts = await Promise.all(Array.from({ length: 16 }, () => keyward.verify({ key })));
  assert.ok(verdicts.every(({ valid }) => valid));
  assert.equal(await creditsOf(service.root, id), 84);
});

test('a request that Keyward cannot take fails alone: the others of its turn have their verdicts', async () => {
  const { key } = await makeKey(service.root);
  const keyward = clientOf(proxy.url);
  const odd = ['x'.repeat(2_000_000), 'x'.repeat(70_000), '\ud800', '\u0000', '"', 'ak_live_ü'];
  const asked = odd.flatMap((text) => [{ key }, { key: text }, { key, resource: text }]);
  const codes = await Promise.all(asked.map((request) => codeOf(keyward.verify(request))));
  const good = codes.filter((_, index) => index % 3 === 0);
  assert.deepEqual(good, Array(odd.length).fill('VALID'));
  const others = codes.filter((_, index) => index % 3 === 1);
  for (const code of others) assert.match(code, /^(NOT_FOUND|413 BODY_TOO_LARGE|400 [A-Z_]+.*)$/);
});
