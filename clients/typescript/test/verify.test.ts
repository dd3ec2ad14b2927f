import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';
import { Keyward, KeywardError } from '@keyward/client';
import { answerWith, CallProxy, silence } from './proxy.ts';
import { at, clientOf, forgedFrom, makeKey, service } from './service.ts';

let proxy: CallProxy;
beforeEach(async () => {
  proxy = await CallProxy.open(service.url);
});
afterEach(() => proxy.close());

async function errorOf(promise: Promise<unknown>): Promise<KeywardError> {
  const error = await promise.then(
    () => null,
    (reason) => reason,
  );
  assert.ok(error instanceof KeywardError, inspect(error));
  return error;
}

test('a valid verdict has the id, the name and the scopes of the key, and one that is not has its code', async () => {
  const { root } = service;
  const { id, key } = await makeKey(root, { scopes: ['orders:read'], ownerId: 'customer_42' });
  const verdict = await root.verify({ key, requiredScopes: ['orders:read'] });
  assert.ok(verdict.valid);
  // Types, too: none of them may be null.
  const known: { keyId: string; scopes: string[]; workspaceId: string } = verdict;
  assert.deepEqual(
    [known.keyId, known.scopes, known.workspaceId, verdict.ownerId],
    [id, ['orders:read'], 'default', 'customer_42'],
  );
  const lacking = await root.verify({ key, requiredScopes: ['orders:write'] });
  assert.ok(!lacking.valid);
  assert.equal(lacking.code, 'INSUFFICIENT_SCOPE');
  assert.deepEqual(lacking.missingScopes, ['orders:write']);
  assert.equal((await root.verify({ key: forgedFrom(key) })).code, 'NOT_FOUND');
});

test('a key that is revoked is refused by the next verification', async () => {
  const { root } = service;
  const { id, key } = await makeKey(root);
  assert.ok((await root.verify({ key })).valid);
  await root.api.POST('/v1/keys/{id}/revoke', at(id));
  assert.equal((await root.verify({ key })).code, 'REVOKED');
});

test('a code that this version does not know is not valid, and neither is a VALID that contradicts itself', async () => {
  const keyward = clientOf(proxy.url);
  const { key } = await makeKey(service.root);
  const verdict = await service.root.verify({ key });
  proxy.next(
    answerWith(200, { ...verdict, valid: true, code: 'QUARANTINED' }),
    answerWith(200, { ...verdict, keyId: null }),
    answerWith(200, { ...verdict, valid: false }),
  );
  for (const code of ['QUARANTINED', 'VALID', 'VALID']) {
    const answer = await keyward.verify({ key });
    assert.deepEqual([answer.valid, answer.code], [false, code]);
  }
});

test('an answer that is not of Keyward is an error, and a redirect is not followed', async () => {
  const keyward = clientOf(proxy.url);
  const elsewhere = await CallProxy.open(service.url);
  proxy.next(
    answerWith(200, '<html>'),
    answerWith(200, 'true'),
    answerWith(200, { valid: true }),
    answerWith(307, '', { location: `${elsewhere.url}/v1/verify` }),
  );
  for (const status of [200, 200, 200, 307]) {
    const error = await errorOf(keyward.verify({ key: 'ak_live_x' }));
    assert.deepEqual([error.code, error.status], ['BAD_ANSWER', status]);
  }
  assert.deepEqual(elsewhere.calls, []);
  await elsewhere.close();
});

test('a refusal is an error with its code, status, fields and request id, and with no key in it', async () => {
  const { root, url } = service;
  const { key } = await makeKey(root);
  const error = await errorOf(root.verify({ key: `Bearer ${key}`, ip: '203.0.113.7' }));
  assert.deepEqual([error.code, error.status], ['KEY_WITH_SCHEME', 400]);
  assert.equal(error.errors[0]?.pointer, '/body/key');
  assert.match(error.requestId ?? '', /^req_/);
  const stranger = new Keyward({ url, managementKey: key });
  const unknown = await errorOf(stranger.verify({ key }));
  assert.deepEqual([unknown.code, unknown.status], ['UNAUTHENTICATED', 401]);
  for (const shown of [error, unknown]) {
    assert.ok(!inspect(shown, { depth: 9 }).includes(key.slice(8)));
  }
});

test('an error has no key in it, whatever the answer that it is made of says', async () => {
  const { key } = await makeKey(service.root);
  const problem = { type: '', title: '', status: 400, code: 'INVALID_REQUEST', requestId: 'req_1' };
  const errors = [{ pointer: `/body/${key}`, detail: key }];
  proxy.next(answerWith(400, { ...problem, detail: `no field ${key}`, errors }));
  const error = await errorOf(clientOf(proxy.url).verify({ key }));
  assert.equal(error.code, 'INVALID_REQUEST');
  assert.ok(!inspect(error, { depth: 9 }).includes(key));
  assert.ok(!JSON.stringify(error).includes(key));
});

test('a client that is printed shows no management key', () => {
  const keyward = clientOf(service.url);
  const shown = inspect(keyward, { depth: 9, showHidden: true }) + JSON.stringify(keyward);
  assert.ok(!shown.includes(service.rootKey));
});

test('an option that cannot be right is refused at once, without being quoted', () => {
  const { url } = service;
  const managementKey = 'kw_secret';
  const wrong = [
    { url: 'ftp://kw_secret', managementKey },
    { url: 'http://user:kw_secret@keyward', managementKey },
    { url, managementKey: 'Bearer kw_secret' },
    { url, managementKey: 'kw_secret\n' },
    { url, managementKey, maxBatch: 101 },
    { url, managementKey, timeoutMs: 0 },
    { url, managementKey, retries: -1 },
    { url, managementKey, timeout: 100 },
  ];
  for (const options of wrong) {
    assert.throws(
      () => new Keyward(options),
      (error) => error instanceof TypeError && !error.message.includes('secret'),
    );
  }
});

test('a verification without an answer ends when its time is over', async () => {
  proxy.next(silence, silence);
  const keyward = clientOf(proxy.url, { timeoutMs: 80 });
  const began = performance.now();
  const [alone, shorter] = await Promise.all([
    errorOf(keyward.verify({ key: 'x' })),
    errorOf(keyward.verify({ key: 'y' }, { timeoutMs: 20 })),
  ]);
  assert.match(alone.message, /^NO_ANSWER: .* within 80 ms$/);
  assert.match(shorter.message, /within 20 ms$/);
  assert.ok(performance.now() - began < 5000);
});

test('one who gives up gets the own reason, before the verification and during it', async () => {
  proxy.next(silence);
  const keyward = clientOf(proxy.url);
  const controller = new AbortController();
  const reason = new Error('the client went away');
  const asked = keyward.verify({ key: 'x' }, { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(asked, reason);
  await assert.rejects(keyward.verify({ key: 'x' }, { signal: controller.signal }), reason);
});

test('verifications one after the other use the same connections', async () => {
  const { root } = service;
  const { key } = await makeKey(root);
  const ports = new Set<number>();
  const verdict = JSON.stringify(await root.verify({ key }));
  const server = createServer((request, response) => {
    ports.add(request.socket.remotePort ?? 0);
    response.end(verdict);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const keyward = clientOf(`http://127.0.0.1:${address.port}`);
  for (let count = 0; count < 20; count++) await keyward.verify({ key });
  server.closeAllConnections();
  server.close();
  // A second one where the first is not free yet.
  assert.ok(ports.size <= 2, `${ports.size} connections`);
});
