import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type Keyward, KeywardError, type VerifyOptions } from '@keyward/client';
import { answerWith, CallProxy, cutAfter, cutBefore, refuseWith } from './proxy.ts';
import { freePort } from './servers.ts';
import { clientOf, creditsOf, makeKey, service } from './service.ts';

let proxy: CallProxy;
beforeEach(async () => {
  proxy = await CallProxy.open(service.url);
});
afterEach(() => proxy.close());

/** A key with ten credits, and what is left of them. */
async function limitedKey() {
  const { id, key } = await makeKey(service.root, { credits: { remaining: 10 } });
  return { key, left: () => creditsOf(service.root, id) };
}

/** The code of a verdict, or of what came in its place. */
async function outcome(keyward: Keyward, key: string, options: VerifyOptions & { cost?: number }) {
  const { cost, ...rest } = options;
  try {
    const verdict = await keyward.verify({ key, ...(cost !== undefined && { cost }) }, rest);
    return verdict.code;
  } catch (error) {
    assert.ok(error instanceof KeywardError, String(error));
    return error.code;
  }
}

test('a verification whose answer is lost is not asked for again, and is spent once', async () => {
  const { key, left } = await limitedKey();
  proxy.next(cutAfter);
  assert.equal(await outcome(clientOf(proxy.url), key, {}), 'NO_ANSWER');
  assert.equal(proxy.calls.length, 1);
  assert.equal(await left(), 9);
});

test('a batch whose answer is lost is not asked for again, and each of its verifications is spent once', async () => {
  const { key, left } = await limitedKey();
  proxy.next(cutAfter);
  const keyward = clientOf(proxy.url);
  const outcomes = await Promise.all([1, 2, 3].map(() => outcome(keyward, key, {})));
  assert.deepEqual(outcomes, Array(3).fill('NO_ANSWER'));
  assert.deepEqual(proxy.paths, ['/v1/verify/batch']);
  assert.equal(await left(), 7);
});

test('a verification whose answer is lost is asked for again where the caller says that it does no harm', async () => {
  const { key, left } = await limitedKey();
  proxy.next(cutAfter);
  const keyward = clientOf(proxy.url);
  assert.equal(await outcome(keyward, key, { idempotent: true }), 'VALID');
  assert.equal(proxy.calls.length, 2);
  assert.equal(await left(), 8);
});

test('a verification that costs nothing is asked for again', async () => {
  const { key, left } = await limitedKey();
  proxy.next(cutBefore);
  assert.equal(await outcome(clientOf(proxy.url), key, { cost: 0 }), 'VALID');
  assert.equal(await left(), 10);
});

test('of a batch whose answer is lost, only what may be asked for twice is asked for again', async () => {
  const { key, left } = await limitedKey();
  proxy.next(cutAfter);
  const keyward = clientOf(proxy.url);
  const asked = [{}, { cost: 0 }, { idempotent: true }, {}];
  const outcomes = await Promise.all(asked.map((options) => outcome(keyward, key, options)));
  assert.deepEqual(outcomes, ['NO_ANSWER', 'VALID', 'VALID', 'NO_ANSWER']);
  assert.deepEqual(
    proxy.calls.map(({ items }) => items),
    [4, 2],
  );
  assert.equal(await left(), 6);
});

for (const [status, code] of [
  [503, 'OVERLOADED'],
  [429, 'TOO_MANY_REQUESTS'],
] as const) {
  test(`a verification that is refused with ${status} ${code} is asked for again after Retry-After, and is spent once`, async () => {
    const { key, left } = await limitedKey();
    proxy.next(refuseWith(status, code, { 'retry-after': '1' }));
    const began = performance.now();
    assert.equal(await outcome(clientOf(proxy.url), key, {}), 'VALID');
    assert.ok(performance.now() - began >= 1000);
    assert.equal(await left(), 9);
  });
}

test('a batch that is refused as too much is asked for again as one', async () => {
  const { key, left } = await limitedKey();
  proxy.next(refuseWith(503, 'OVERLOADED', { 'retry-after': '0' }));
  const keyward = clientOf(proxy.url);
  const outcomes = await Promise.all([1, 2, 3].map(() => outcome(keyward, key, {})));
  assert.deepEqual(outcomes, Array(3).fill('VALID'));
  assert.deepEqual(proxy.paths, ['/v1/verify/batch', '/v1/verify/batch']);
  assert.equal(await left(), 7);
});

for (const [status, code] of [
  [503, 'UNAVAILABLE'],
  [503, 'TIMED_OUT'],
  [500, 'INTERNAL'],
] as const) {
  test(`a verification that ends with ${status} ${code} is not asked for again`, async () => {
    proxy.next(refuseWith(status, code, { 'retry-after': '0' }));
    assert.equal(await outcome(clientOf(proxy.url), 'x', {}), code);
    assert.equal(proxy.calls.length, 1);
  });
}

test('a gateway that answers in the place of Keyward is asked again only where that does no harm', async () => {
  const keyward = clientOf(proxy.url);
  proxy.next(answerWith(502, '<html>Bad Gateway</html>'), answerWith(502, '<html>'));
  assert.equal(await outcome(keyward, 'x', {}), 'BAD_ANSWER');
  assert.equal(await outcome(keyward, 'x', { idempotent: true }), 'NOT_FOUND');
  assert.equal(proxy.calls.length, 3);
});

test('an item of a batch that could not be decided is asked for again only where that does no harm', async () => {
  const { root } = service;
  const { key } = await limitedKey();
  const { requestId, ...decided } = await root.verify({ key, cost: 0 });
  const item = (code: string) => ({
    ...decided,
    valid: code === 'VALID',
    code,
    errors: [],
    requestId,
  });
  const results = [item('VALID'), item('UNAVAILABLE'), item('UNAVAILABLE')];
  proxy.next(answerWith(200, { results }));
  const keyward = clientOf(proxy.url, { timeoutMs: 20_000 });
  const asked = [{}, {}, { cost: 0 }];
  const outcomes = await Promise.all(asked.map((options) => outcome(keyward, key, options)));
  assert.deepEqual(outcomes, ['VALID', 'UNAVAILABLE', 'VALID']);
  assert.deepEqual(proxy.paths, ['/v1/verify/batch', '/v1/verify']);
});

test('a connection that is refused is tried again, and what it leads to is spent once', async () => {
  const { key, left } = await limitedKey();
  const closed = `http://127.0.0.1:${await freePort()}`;
  let attempts = 0;
  const flaky = (url: string, init: RequestInit) =>
    fetch(attempts++ === 0 ? url.replace(service.url, closed) : url, init);
  assert.equal(await outcome(clientOf(service.url, { fetch: flaky }), key, {}), 'VALID');
  assert.equal(attempts, 2);
  assert.equal(await left(), 9);
  const alone = clientOf(closed);
  assert.equal(await outcome(alone, key, {}), 'UNREACHABLE');
});

test('a verification is not asked for more often than allowed, and not at all where Keyward wants to wait longer than it may take', async () => {
  const refuse = refuseWith(503, 'OVERLOADED', { 'retry-after': '0' });
  proxy.next(refuse, refuse, refuse);
  const twice = clientOf(proxy.url, { retries: 2 });
  assert.equal(await outcome(twice, 'x', {}), 'OVERLOADED');
  assert.equal(proxy.calls.length, 3);
  proxy.next(refuseWith(429, 'TOO_MANY_REQUESTS', { 'retry-after': '3600' }));
  assert.equal(await outcome(twice, 'x', {}), 'TOO_MANY_REQUESTS');
  assert.equal(proxy.calls.length, 4);
  proxy.next(refuse);
  const never = clientOf(proxy.url, { retries: 0 });
  assert.equal(await outcome(never, 'x', {}), 'OVERLOADED');
  assert.equal(proxy.calls.length, 5);
});
