import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { dataOf, KeywardError } from '@keyward/client';
import { CallProxy, cutAfter, refuseWith, silence } from './proxy.ts';
import { at, clientOf, creditsOf, makeKey, service } from './service.ts';

let proxy: CallProxy;
beforeEach(async () => {
  proxy = await CallProxy.open(service.url);
});
afterEach(() => proxy.close());

test('a call of the management API has the types of its body, of its answer and of its headers', async () => {
  const { api } = service.root;
  const { id, name, scopes } = await dataOf(
    api.POST('/v1/keys', { body: { name: 'CI deploys', scopes: ['orders:read'] } }),
  );
  const shown: { name: string; scopes: string[] } = { name, scopes };
  assert.deepEqual(shown, { name: 'CI deploys', scopes: ['orders:read'] });
  const { data, response } = await api.GET('/v1/keys/{id}', at(id));
  const header = { 'If-Match': response.headers.get('etag') ?? '' };
  const params = { path: { id }, header };
  await dataOf(api.PATCH('/v1/keys/{id}', { params, body: { name: 'CI' } }));
  const outdated = api.PATCH('/v1/keys/{id}', { params, body: { name: data?.name ?? '' } });
  await assert.rejects(dataOf(outdated), { code: 'PRECONDITION_FAILED', status: 412 });
});

test('a refusal of a management call is a KeywardError for those who want the data', async () => {
  const { api } = service.root;
  const refused = dataOf(api.POST('/v1/keys', { body: { name: '' } }));
  await assert.rejects(refused, (error) => {
    assert.ok(error instanceof KeywardError);
    assert.deepEqual([error.code, error.status], ['INVALID_REQUEST', 400]);
    assert.equal(error.errors[0]?.pointer, '/body/name');
    return true;
  });
  const { error, response } = await api.GET('/v1/keys/{id}', at('key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'));
  assert.deepEqual([response.status, error?.code], [404, 'NOT_FOUND']);
});

test('a change whose answer is lost is sent again with the same Idempotency-Key, and acts once', async () => {
  const { id } = await makeKey(service.root, { credits: { remaining: 10 } });
  const { api } = clientOf(proxy.url);
  proxy.next(cutAfter);
  const body = { operation: 'add', amount: 5 } as const;
  await dataOf(api.POST('/v1/keys/{id}/credits', { ...at(id), body }));
  assert.equal(await creditsOf(service.root, id), 15);
  const [first, second] = proxy.calls;
  assert.match(first?.idempotencyKey ?? '', /^[0-9a-f-]{36}$/);
  assert.equal(second?.idempotencyKey, first?.idempotencyKey);
  await dataOf(api.POST('/v1/keys/{id}/credits', { ...at(id), body }));
  assert.equal(await creditsOf(service.root, id), 20);
});

test('a change keeps the Idempotency-Key that its caller gives it, and a read has none', async () => {
  const { api } = clientOf(proxy.url);
  const params = { header: { 'Idempotency-Key': 'order-42' } };
  const body = { name: 'of an order' };
  const made = await dataOf(api.POST('/v1/keys', { params, body }));
  const again = await dataOf(api.POST('/v1/keys', { params, body }));
  assert.deepEqual([again.id, again.key], [made.id, null]);
  await api.GET('/v1/keys');
  assert.deepEqual(
    proxy.calls.map(({ idempotencyKey }) => idempotencyKey),
    ['order-42', 'order-42', undefined],
  );
});

test('a read is tried again, and a verification through the management API is not', async () => {
  const { id, key } = await makeKey(service.root, { credits: { remaining: 10 } });
  const { api } = clientOf(proxy.url);
  proxy.next(refuseWith(503, 'UNAVAILABLE', { 'retry-after': '0' }));
  assert.equal((await dataOf(api.GET('/v1/keys/{id}', at(id)))).id, id);
  proxy.next(cutAfter);
  const asked = dataOf(api.POST('/v1/verify', { body: { key } }));
  await assert.rejects(asked, { code: 'NO_ANSWER', status: null });
  assert.equal(await creditsOf(service.root, id), 9);
});

test('no call that verifies is asked twice through the management API, whatever its method', async () => {
  const { id, key } = await makeKey(service.root, { credits: { remaining: 10 } });
  const { api } = clientOf(proxy.url);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  proxy.next(cutAfter);
  const asked = api.POST('/v1/introspect', { body: { token: key }, headers });
  await assert.rejects(asked, { code: 'NO_ANSWER', status: null });
  assert.equal(await creditsOf(service.root, id), 9);
  proxy.next(cutAfter);
  const gateway = {
    params: { header: { 'x-keyward-authorization': `Bearer ${service.rootKey}` } },
  };
  await assert.rejects(api.GET('/v1/authorize', gateway), { code: 'NO_ANSWER', status: null });
  assert.deepEqual(proxy.paths, ['/v1/introspect', '/v1/authorize']);
});

test('a refusal that stays is handed over as it was', async () => {
  const { api } = clientOf(proxy.url);
  const refuse = refuseWith(503, 'UNAVAILABLE', { 'retry-after': '0' });
  proxy.next(refuse, refuse);
  const { error, response } = await api.GET('/v1/keys');
  assert.deepEqual([response.status, error?.code], [503, 'UNAVAILABLE']);
});

test('a management call without an answer ends when its time is over, or when its caller gives up', async () => {
  const { api } = clientOf(proxy.url, { managementTimeoutMs: 50 });
  proxy.next(silence, silence);
  await assert.rejects(api.GET('/v1/keys'), { code: 'NO_ANSWER' });
  const signal = AbortSignal.abort(new Error('gone'));
  await assert.rejects(api.GET('/v1/keys', { signal }), /gone/);
});
