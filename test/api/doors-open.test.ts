import { createHash } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { launchForTest, ROOT_KEY } from '../support/instance.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { listen } from '../support/raw-http.ts';
import { createKey } from '../support/sql-keys.ts';
import { recordStatements } from '../support/statements.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const pair = usePair();
const TOKEN = 'token-of-the-metrics-0123456789abcdef';
const metricsTokenDigest = createHash('sha256').update(TOKEN).digest('base64url');

it('/metrics answers the root key and the token for metrics, and nobody else', async () => {
  const instance = await launchForTest(pair.databaseUrl, { metricsTokenDigest });
  const statusFor = async (as: string | null) =>
    (await instance.call('GET', '/metrics', { as })).status;
  expect(await statusFor(TOKEN)).toBe(200);
  expect(await statusFor(ROOT_KEY)).toBe(200);
  const { key } = await createManagementKey(instance, { permissions: ['keys:read'] });
  for (const other of [null, '', `${TOKEN}x`, metricsTokenDigest, 'undefined', key]) {
    expect(await statusFor(other)).toBe(401);
  }
  expect((await instance.call('GET', '/v1/keys', { as: TOKEN })).status).toBe(401);
});

it('without a token set, /metrics answers no token', async () => {
  for (const as of ['undefined', 'null', TOKEN, '']) {
    expect((await pair.first.call('GET', '/metrics', { as })).status).toBe(401);
  }
});

it('/metrics answers while the database is away, and when every place is taken', async () => {
  const proxy = await TcpProxy.open(pair.databaseUrl);
  const instance = await launchForTest(proxy.url, { maxInFlight: 1, metricsTokenDigest });
  proxy.cut();
  const { status, text } = await instance.call('GET', '/metrics', { as: TOKEN });
  expect([status, text.includes('keyward_bound_used')]).toEqual([200, true]);
});

it('however many ask whether an instance is ready, it looks once a second', async () => {
  const names = recordStatements(pair.first.service.internals.database);
  pair.first.advance(1000);
  const started = performance.now();
  const ask = () => pair.first.call('GET', '/readyz', { as: null });
  const answers = await Promise.all(Array.from({ length: 50 }, ask));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  await ask();
  const seconds = Math.ceil((performance.now() - started) / 1000);
  expect(new Set(names)).toEqual(new Set(['fence']));
  const looks = names.length;
  expect(looks).toBeLessThanOrEqual(seconds);
  pair.first.advance(1000);
  await ask();
  expect(names).toHaveLength(looks + 1);
});

it('every answer forbids caches to keep it, whatever its status', async () => {
  const { first } = pair;
  const { id } = await createKey(first);
  const { headers } = await first.call('GET', '/v1/workspaces/default');
  const answers = [
    await first.call('GET', '/v1/keys'),
    await first.call('GET', '/v1/workspaces/default', {
      headers: { 'if-none-match': `${headers.etag}` },
    }),
    await first.call('DELETE', `/v1/keys/${id}`),
    await first.call('POST', '/v1/keys', { body: '{' }),
    await first.call('GET', '/v1/keys', { as: null }),
    await first.call('GET', '/v1/nothing'),
    await first.call('PUT', '/v1/keys'),
    await first.call('GET', `/v1/keys/${'x'.repeat(200)}`),
    await first.call('GET', '/v1/authorize'),
    await first.call('POST', '/v1/verify', { body: { key: 'x' } }),
    await first.call('GET', '/v1/whoami', { as: 'x' }),
    await first.call('GET', '/metrics'),
    await first.call('GET', '/readyz', { as: null }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([
    ...[200, 304, 204, 400, 401, 404, 405, 400, 401, 200, 401, 200, 200],
  ]);
  for (const answer of answers) expect(answer.headers['cache-control']).toBe('no-store');
});

it('what a browser opens runs the scripts of this origin alone, and in no frame', async () => {
  for (const url of ['/', '/docs', '/docs/static/swagger-ui.css', '/openapi.json', '/nothing']) {
    const { headers } = await pair.first.call('GET', url, { as: null });
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self';");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
  }
});

it('the document is the same at each of its addresses, and is made before anybody asks for it', async () => {
  const { first } = pair;
  const made = vi.spyOn(first.service.app, 'swagger');
  const [one, other] = await Promise.all(
    ['/openapi.json', '/docs/json'].map((url) => first.call('GET', url, { as: null })),
  );
  expect(one?.body.openapi).toBe('3.1.0');
  expect(other?.text).toBe(one?.text);
  expect(made).not.toHaveBeenCalled();
});

it.each(['/docs', '/docs/'])('the page at %s finds everything that it loads', async (url) => {
  const read = (path: string) => pair.first.call('GET', path, { as: null });
  const { text, headers } = await read(url);
  expect(headers['content-type']).toBe('text/html; charset=utf-8');
  const loaded = [...text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path = '']) => path);
  expect(loaded).toHaveLength(5);
  for (const path of loaded) {
    const file = await read(new URL(path, `http://keyward${url}`).pathname);
    expect([file.status, file.text.length > 0]).toEqual([200, true]);
  }
});

it('a client that is refused before its large body is read still gets to know why', async () => {
  const database = await createTestDatabase();
  const instance = await launchForTest(database.url);
  const port = await listen(instance);
  for (let i = 0; i < 10; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/verify/batch`, {
      method: 'POST',
      headers: { authorization: 'Bearer wrong', 'content-type': 'application/json' },
      body: ' '.repeat(1_000_000),
    });
    expect(await answer.json()).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  }
});

it('a client without a key behind a gateway chooses no workspace, names nothing that is counted, and learns of no tenant', async () => {
  const { first } = pair;
  for (const id of ['gate', 'other']) await putWorkspace(first, id);
  const { key } = await createManagementKey(first, {
    permissions: ['keys:verify'],
    workspaceId: 'gate',
  });
  const ask = (headers: Record<string, string>, url = '/v1/authorize') =>
    first.call('GET', url, {
      as: null,
      headers: { 'x-keyward-authorization': `Bearer ${key}`, 'x-api-key': 'unknown', ...headers },
    });
  const plain = await ask({});
  for (const name of ['other', 'nothing', 'of-its-own-choice']) {
    for (const answer of [
      await ask({ 'x-keyward-workspace': name, 'workspace-id': name, workspaceid: name }),
      await ask({}, `/v1/authorize?workspaceId=${name}`),
      await ask({}, `/v1/authorize/${name}`),
      await ask({ 'keyward-actor': name }),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([plain.status, plain.body.code]);
    }
    // Its own gateway header beside the gateway's makes the question nobody's.
    const forged = await first.call('GET', '/v1/authorize', {
      as: null,
      headers: { 'x-keyward-authorization': `Bearer x; workspaceId=${name}` },
    });
    expect([forged.status, forged.body.code]).toEqual([401, 'GATEWAY_UNAUTHENTICATED']);
  }
  await first.flush();
  const { text } = await first.call('GET', '/v1/audit-events?workspaceId=*');
  expect(text).not.toContain('of-its-own-choice');
});
