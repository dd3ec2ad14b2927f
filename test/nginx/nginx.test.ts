import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { launchProgram, waitUntilStarted } from '../support/program.ts';
import { type Answer, NGINX, openGateway } from './gateway.ts';

const ROOT_KEY = 'root-key-of-the-nginx-tests-0123456789';

/** scripts/test-nginx.sh runs these against the nginx of the distribution. */
describe.runIf(NGINX !== '')('an API behind nginx', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  /** The real program, the real nginx, and an API behind them. */
  async function open() {
    const settings = { DATABASE_URL: database.url, KEYWARD_ROOT_KEY: ROOT_KEY };
    const program = await waitUntilStarted(launchProgram(settings));
    const client = clientOf(program.url, ROOT_KEY);
    const createKey = async (more: object = {}) => {
      const { data } = await client.POST('/v1/keys', { body: { name: 'a key', ...more } });
      return issued(data);
    };
    const body = { name: 'nginx', permissions: ['keys:verify' as const] };
    const gatewayKey = issued((await client.POST('/v1/management-keys', { body })).data);
    const gateway = await openGateway(program.url, gatewayKey.key);
    return { ...gateway, program, client, createKey, gatewayKey };
  }

  function expectClosed(answer: Answer, status: number, code: string): void {
    expect({ status: answer.status, body: JSON.parse(answer.body) }).toMatchObject({
      status,
      body: { status, code },
    });
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers['cache-control']).toBe('no-store');
  }

  it('nginx lets a valid key through, with its identity and without the key', async () => {
    const { send, seen, createKey } = await open();
    const { id, key } = await createKey({ ownerId: 'Zoë:42', scopes: ['orders:*'] });
    for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]) {
      const answer = await send('/orders/7?page=2', headers);
      expect(answer).toMatchObject({ status: 200, body: 'from the API' });
      const [request] = seen.splice(0);
      expect(request?.url).toBe('/orders/7?page=2');
      expect(request?.headers).toMatchObject({
        'x-keyward-key-id': id,
        'x-keyward-owner': 'Zo%C3%AB:42',
        'x-keyward-scopes': 'orders:*',
        'x-keyward-workspace': 'default',
      });
      expect(JSON.stringify(request)).not.toContain(key);
    }
    const upload = await send('/orders/7', { 'x-api-key': key }, 'DELETE');
    expect(upload.status).toBe(200);
  });

  it('nginx stops a request without a key, and one with a key that was never issued', async () => {
    const { send, seen } = await open();
    const none = await send('/orders/7');
    expectClosed(none, 401, 'KEY_MISSING');
    expect(none.headers['www-authenticate']).toBe('Bearer realm="keyward"');
    const bad = await send('/orders/7', { authorization: 'Bearer ak_live_nonsense' });
    expectClosed(bad, 401, 'NOT_FOUND');
    expect(bad.headers['www-authenticate']).toContain('error="invalid_token"');
    expect(seen).toEqual([]);
  });

  it('nginx stops a key that lacks the scope, is of another project, or is bound to other addresses', async () => {
    const { send, seen, createKey } = await open();
    const { key } = await createKey({ scopes: ['projects:read'], resources: ['project:alpha'] });
    const lacking = await send('/orders/7', { 'x-api-key': key });
    expectClosed(lacking, 403, 'INSUFFICIENT_SCOPE');
    expect(lacking.headers['www-authenticate']).toContain('scope="orders:read"');
    expectClosed(await send('/projects/beta', { 'x-api-key': key }), 403, 'RESOURCE_NOT_ALLOWED');
    const elsewhere = await createKey({ allowedIps: ['203.0.113.0/24'] });
    expectClosed(await send('/', { 'x-api-key': elsewhere.key }), 403, 'IP_NOT_ALLOWED');
    expect(seen).toEqual([]);
    expect((await send('/projects/alpha/x', { 'x-api-key': key })).status).toBe(200);
    const here = await createKey({ allowedIps: ['127.0.0.0/8'] });
    expect((await send('/', { 'x-api-key': here.key })).status).toBe(200);
  });

  it('nginx stops a key that was revoked a moment ago', async () => {
    const { send, seen, client, createKey } = await open();
    const { id, key } = await createKey();
    for (let i = 0; i < 3; i++) expect((await send('/', { 'x-api-key': key })).status).toBe(200);
    await client.POST('/v1/keys/{id}/revoke', { params: { path: { id } } });
    expectClosed(await send('/', { 'x-api-key': key }), 401, 'REVOKED');
    expect(seen).toHaveLength(3);
  });

  it('nginx does not let a client forge its identity', async () => {
    const { send, seen, createKey } = await open();
    const { id, key } = await createKey();
    const answer = await send('/', {
      'x-api-key': key,
      'X-Keyward-Key-Id': 'key_forged',
      'x-keyward-owner': 'admin',
      'X-KEYWARD-SCOPES': '*',
      'X-Keyward-Workspace': 'forged',
      X_Keyward_Owner: 'admin',
      'X-Keyward-Code': 'VALID',
      'X-Keyward-Authorization': 'Bearer kw_forged',
    });
    expect(answer.status).toBe(200);
    const names = Object.entries(seen[0]?.headers ?? {}).filter(([name]) => /keyward/.test(name));
    expect(Object.fromEntries(names)).toEqual({
      'x-keyward-key-id': id,
      'x-keyward-workspace': 'default',
    });
  });

  it('nginx does not let a client weaken what is required, by its query, headers or path', async () => {
    const { send, seen, createKey } = await open();
    const { key } = await createKey({ scopes: ['projects:read'], resources: ['project:alpha'] });
    const headers = {
      'x-api-key': key,
      'x-keyward-required-scopes': 'projects:read',
      'x-keyward-resource': 'project:alpha',
      'x-keyward-ip': '203.0.113.7',
      'x-keyward-mode': 'none',
    };
    const query = '?requiredScopes=projects:read&resource=project:alpha&mode=none&cost=0';
    for (const path of ['/orders/7', '/orders/', '//orders/7', '/%6frders/7', '/x/../orders/7']) {
      expectClosed(await send(path + query, headers), 403, 'INSUFFICIENT_SCOPE');
    }
    for (const path of ['/projects/beta', '/projects/alpha/..%2fbeta']) {
      expectClosed(await send(path + query, headers), 403, 'RESOURCE_NOT_ALLOWED');
    }
    expect((await send('/projects/alpha%26cost=0', headers)).status).toBe(404);
    const bound = await createKey({ allowedIps: ['203.0.113.7'] });
    const claim = { 'x-api-key': bound.key, 'x-keyward-ip': '203.0.113.7' };
    expectClosed(await send('/?ip=203.0.113.7', claim), 403, 'IP_NOT_ALLOWED');
    expect(seen).toEqual([]);
  });

  it('nginx sends the API the exact path that was checked', async () => {
    const { send, seen, createKey } = await open();
    const { key } = await createKey({ scopes: ['projects:read'], resources: ['project:alpha'] });
    await send('/projects/beta/..%2falpha/a%20b?x=%2f', { 'x-api-key': key });
    await send('/orders/..%2fadmin', { 'x-api-key': key });
    expect(seen.map(({ url }) => url)).toEqual(['/projects/alpha/a%20b?x=%2f', '/admin']);
  });

  it('nginx answers 429 and when to retry to a key whose limit is reached', async () => {
    const { send, seen, createKey } = await open();
    const rateLimits = [{ name: 'minute', limit: 1, windowSeconds: 60 }];
    const { key } = await createKey({ rateLimits });
    expect((await send('/', { 'x-api-key': key })).status).toBe(200);
    const limited = await send('/', { 'x-api-key': key });
    expectClosed(limited, 429, 'RATE_LIMITED');
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    expect(seen).toHaveLength(1);
  });

  it('nginx tells a client with a retiring string until when it is valid', async () => {
    const { send, client, createKey } = await open();
    const { id, key } = await createKey();
    expect((await send('/', { 'x-api-key': key })).headers).not.toHaveProperty('sunset');
    const body = { graceSeconds: 3600 };
    await client.POST('/v1/keys/{id}/rotate', { params: { path: { id } }, body });
    const { headers } = await send('/', { 'x-api-key': key });
    expect(Date.parse(String(headers.sunset))).toBeGreaterThan(Date.now());
    expect(headers.deprecation).toMatch(/^@\d+$/);
  });

  it('nginx lets nothing through while Keyward is away', async () => {
    const { send, seen, program, createKey } = await open();
    const { key } = await createKey();
    expect((await send('/', { 'x-api-key': key })).status).toBe(200);
    await program.end('SIGKILL');
    expectClosed(await send('/', { 'x-api-key': key }), 503, 'UNAVAILABLE');
    expectClosed(await send('/orders/7', { 'x-api-key': key }), 503, 'UNAVAILABLE');
    expect(seen).toHaveLength(1);
  });

  it('nginx lets nothing through while its own credential is refused, and does not blame the client', async () => {
    const { send, seen, client, createKey, gatewayKey } = await open();
    const { key } = await createKey();
    const path = { id: gatewayKey.id };
    await client.POST('/v1/management-keys/{id}/revoke', { params: { path } });
    expectClosed(await send('/', { 'x-api-key': key }), 503, 'UNAVAILABLE');
    expect(seen).toEqual([]);
  });
});

function issued(data: { id: string; key: string | null } | undefined) {
  if (!data?.key) throw new Error('no key was issued');
  return { id: data.id, key: data.key };
}
