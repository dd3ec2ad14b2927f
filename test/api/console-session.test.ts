import { beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { type Instance, launchForTest, ROOT_KEY } from '../support/instance.ts';
import { createManagementKey, usePair } from '../support/pair.ts';

const MINUTE = 60_000;
const PROOF = { 'keyward-console': 'session' };
const ALL = ['keys:read', 'keys:write', 'management:read', 'management:write'] as const;

const signIn = (instance: Instance, key: string, headers = {}) =>
  instance.call('POST', '/console/session', {
    as: key,
    headers: { ...PROOF, 'keyward-actor': 'ada@example.com', ...headers },
  });

/** What a browser sends back of a `Set-Cookie`. */
function cookieOf(headers: Record<string, unknown>): string {
  return String(headers['set-cookie']).split(';')[0] ?? '';
}

async function browser(instance: Instance, key: string) {
  const answer = await signIn(instance, key);
  expect(answer.status).toBe(200);
  let cookie = cookieOf(answer.headers);
  const proof = { 'keyward-console': String(answer.body.id) };
  return {
    proof,
    cookie: () => cookie,
    call: async (
      method: string,
      path: string,
      { headers = {}, body }: { headers?: object; body?: object } = {},
    ) => {
      const options = {
        as: null,
        headers: { ...proof, cookie, ...headers },
        ...(body && { body }),
      };
      const got = await instance.call(method, `/console/${path}`, options);
      if (got.headers['set-cookie']) cookie = cookieOf(got.headers);
      return got;
    },
  };
}

describe('a session of the console', () => {
  const pair = usePair();
  beforeEach(() => pair.advance(1000));

  it('a session calls the API as its management key, on every instance, and names its person as the actor', async () => {
    const { key, id } = await createManagementKey(pair.first, { permissions: [...ALL] });
    const { call, cookie, proof } = await browser(pair.first, key);
    const made = await call('POST', 'api/v1/keys', { body: { name: 'from the console' } });
    expect(made.status).toBe(201);
    expect(made.body.createdBy).toEqual({
      type: 'management_key',
      id,
      onBehalfOf: 'ada@example.com',
    });
    const other = await pair.second.call('GET', '/console/api/v1/keys', {
      as: null,
      headers: { ...proof, cookie: cookie() },
    });
    expect(other.status).toBe(200);
  });

  it('a cookie shows no script and no other site the key, and its value reveals nothing of it', async () => {
    const { key } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const plain = await signIn(pair.first, key);
    const attributes = String(plain.headers['set-cookie']).split('; ').slice(1);
    expect(attributes).toEqual(['Max-Age=43200', 'Path=/', 'HttpOnly', 'SameSite=Strict']);
    const secure = await signIn(pair.first, key, { origin: 'https://keys.example.com' });
    expect(String(secure.headers['set-cookie'])).toMatch(
      /^__Host-keyward-console=\S+; Secure; Max-Age=43200; Path=\/;/,
    );
    const text = plain.text + Buffer.from(cookieOf(plain.headers), 'base64url').toString('latin1');
    expect(text).not.toContain(key);
    expect(plain.body.caller).toMatchObject({ type: 'management_key', permissions: ['keys:read'] });
    expect(plain.headers['cache-control']).toBe('no-store');
    expect(pair.first.logLines.join('')).not.toContain(key);
  });

  it('a session ends at once on every instance when its management key is revoked', async () => {
    const { key, id } = await createManagementKey(pair.first, { permissions: [...ALL] });
    const { call, cookie } = await browser(pair.first, key);
    expect((await call('GET', 'api/v1/keys')).status).toBe(200);
    await pair.second.call('POST', `/v1/management-keys/${id}/revoke`);
    expect((await call('GET', 'api/v1/keys')).status).toBe(401);
    expect((await call('GET', 'session')).status).toBe(401);
    expect(cookie()).not.toBe('');
  });

  it('a cookie means nothing to the API itself, nor under the console without the proof that a page of it asks', async () => {
    const { key } = await createManagementKey(pair.first, { permissions: [...ALL] });
    const { call, cookie, proof } = await browser(pair.first, key);
    const status = async (path: string, headers: Record<string, string>) =>
      (await pair.first.call('GET', path, { as: null, headers: { cookie: cookie(), ...headers } }))
        .status;
    expect(await status('/v1/keys', proof)).toBe(401);
    expect(await status('/console/api/v1/keys', {})).toBe(401);
    expect(await status('/console/api/v1/keys', { ...proof, 'sec-fetch-site': 'cross-site' })).toBe(
      401,
    );
    expect(await status('/console/api/v1/keys', { ...proof, 'sec-fetch-site': 'same-site' })).toBe(
      401,
    );
    expect(
      await status('/console/api/v1/keys', { ...proof, 'sec-fetch-site': 'same-origin' }),
    ).toBe(200);
    const forged = await call('POST', 'api/v1/keys', {
      headers: { 'sec-fetch-site': 'cross-site' },
      body: { name: 'x' },
    });
    expect(forged.status).toBe(401);
    expect((await call('GET', 'api/metrics')).status).not.toBe(200);
  });

  it('a page never acts in the session of somebody else who has signed in since it was loaded', async () => {
    const { key } = await createManagementKey(pair.first, { permissions: [...ALL] });
    const ada = await browser(pair.first, key);
    const bob = await browser(pair.first, key);
    const headers = { ...ada.proof, cookie: bob.cookie() };
    const { status } = await pair.first.call('POST', '/console/api/v1/keys', {
      as: null,
      headers,
      body: { name: 'by whom?' },
    });
    expect(status).toBe(401);
  });

  it('a key that is sent under the console is not used: its cookie alone says who calls', async () => {
    const sent = { as: ROOT_KEY, headers: PROOF };
    expect((await pair.first.call('GET', '/console/api/v1/keys', sent)).status).toBe(401);
    const { key } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const { call } = await browser(pair.first, key);
    const headers = { authorization: `Bearer ${ROOT_KEY}`, 'keyward-actor': 'mallory' };
    expect((await call('POST', 'api/v1/keys', { headers, body: { name: 'x' } })).status).toBe(403);
  });

  it.each([
    ['empty', ''],
    ['short', 'x'],
    ['long', 'A'.repeat(60)],
    ['far too long', 'A'.repeat(2000)],
    ['escaped', '%00'],
    ['cut', '=;='],
    ['quoted', '"quoted"'],
  ])('a cookie that Keyward did not seal is no session, and no error: %s', async (_what, value) => {
    const headers = { ...PROOF, cookie: `a=b; keyward-console=${value}; c` };
    const { status, body } = await pair.first.call('GET', '/console/session', {
      as: null,
      headers,
    });
    expect([status, body.code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('each byte of a sealed session that is changed makes it none', async () => {
    const { key } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const { cookie } = await browser(pair.first, key);
    const [name, value = ''] = cookie().split('=');
    for (const at of [0, 5, 20, Math.floor(value.length / 2), value.length - 3]) {
      const other = value[at] === 'A' ? 'B' : 'A';
      const changed = value.slice(0, at) + other + value.slice(at + 1);
      const headers = { ...PROOF, cookie: `${name}=${changed}` };
      const { status } = await pair.first.call('GET', '/console/session', { as: null, headers });
      expect([at, status]).toEqual([at, 401]);
    }
  });

  it('what is no management key does not sign in', async () => {
    const { body: customer } = await pair.first.call('POST', '/v1/keys', {
      body: { name: 'a customer' },
    });
    for (const key of [customer.key, 'nonsense', `kw_${'x'.repeat(65)}`]) {
      expect((await signIn(pair.first, key)).body.code).toBe('UNAUTHENTICATED');
    }
  });

  it('an actor that the audit log cannot keep is refused beside its field, and counts as no failed sign-in', async () => {
    for (let attempt = 0; attempt < 10; attempt++) {
      const long = await signIn(pair.first, ROOT_KEY, { 'keyward-actor': 'x'.repeat(129) });
      expect([long.status, long.body.errors[0].pointer]).toEqual([400, '/headers/keyward-actor']);
    }
    expect((await signIn(pair.first, ROOT_KEY)).status).toBe(200);
  });

  it('a colleague with a right key signs in as often as they like while somebody at the same address fails without a pause', async () => {
    const { key } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    for (let attempt = 0; attempt < 100; attempt++) {
      const [repeated, another] = await Promise.all([
        signIn(pair.first, 'nonsense'),
        signIn(pair.first, `nonsense ${attempt}`),
      ]);
      expect([401, 429]).toContain(repeated.status);
      expect([401, 429]).toContain(another.status);
      expect((await signIn(pair.first, key)).status).toBe(200);
      expect((await signIn(pair.first, ROOT_KEY)).status).toBe(200);
    }
  });

  it('a page keeps alive its own session alone, and not that of somebody else who has signed in since', async () => {
    const ada = await browser(pair.first, ROOT_KEY);
    const bob = await browser(pair.first, ROOT_KEY);
    const ask = (proof: object) =>
      pair.first.call('GET', '/console/session', {
        as: null,
        headers: { ...proof, cookie: bob.cookie() },
      });
    expect((await ask(ada.proof)).status).toBe(401);
    expect((await ask(bob.proof)).status).toBe(200);
    expect((await ask(PROOF)).body.id).toBe(bob.proof['keyward-console']);
  });
});

describe('the lifetime of a session', () => {
  const pair = usePair();
  beforeEach(() => pair.advance(1000));

  it('a session ends when nobody has used it for 30 minutes, and after 12 hours however much it is used', async () => {
    const idle = await browser(pair.first, ROOT_KEY);
    const busy = await browser(pair.first, ROOT_KEY);
    for (let minutes = 0; minutes < 12 * 60; minutes += 20) {
      expect((await busy.call('GET', 'session')).status).toBe(200);
      expect((await busy.call('GET', 'api/v1/keys')).status).toBe(200);
      expect((await idle.call('GET', 'api/v1/keys')).status).toBe(minutes <= 30 ? 200 : 401);
      pair.advance(20 * MINUTE);
    }
    pair.advance(1000);
    expect((await busy.call('GET', 'session')).status).toBe(401);
  });

  it('a sign-out takes the cookie away, and tells the browser to forget what it has stored', async () => {
    const { call } = await browser(pair.first, ROOT_KEY);
    const { status, headers } = await call('DELETE', 'session');
    expect([status, headers['clear-site-data']]).toEqual([204, '"cache"']);
    expect(headers['set-cookie']).toEqual([
      expect.stringMatching(/^__Host-keyward-console=; Secure; Max-Age=0;/),
      expect.stringMatching(/^keyward-console=; Max-Age=0;/),
    ]);
  });

  it('over TLS a session lives in its own cookie alone, which requests without an Origin keep alive too', async () => {
    const jar = new Map<string, string>();
    const ask = async (method: string, headers = {}, as: string | null = null) => {
      const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
      const options = { as, headers: { ...PROOF, ...headers, ...(cookie && { cookie }) } };
      const answer = await pair.first.call(method, '/console/session', options);
      for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(String(line)) ?? [];
        if (value === '') jar.delete(name);
        else jar.set(name, value);
      }
      return answer.status;
    };
    expect(await ask('POST', { origin: 'https://keys.example.com' }, ROOT_KEY)).toBe(200);
    for (let minutes = 0; minutes < 60; minutes += 20) {
      pair.advance(20 * MINUTE);
      expect(await ask('GET')).toBe(200);
      expect([...jar.keys()]).toEqual(['__Host-keyward-console']);
    }
    expect(await ask('DELETE', { origin: 'https://keys.example.com' })).toBe(204);
    expect([...jar.keys()]).toEqual([]);
    expect(await ask('GET')).toBe(401);
  });

  it('a link of the start signs in once, with a management key that ends with the session', async () => {
    const token = pair.first.service.signInLink?.() ?? '';
    const open = () =>
      pair.first.call('POST', '/console/session', {
        as: null,
        headers: { ...PROOF, 'keyward-console-link': token },
      });
    const { status, headers, body } = await open();
    expect([status, body.caller.type]).toEqual([200, 'management_key']);
    const { body: made } = await pair.first.call('GET', `/v1/management-keys/${body.caller.id}`);
    expect(made.createdBy).toEqual({ type: 'system', id: 'console', onBehalfOf: null });
    expect(Date.parse(made.expiresAt) - Date.parse(made.createdAt)).toBeCloseTo(43_200_000, -3);
    expect(cookieOf(headers)).toMatch(/^keyward-console=.{100}/);
    pair.advance(10_000);
    expect((await open()).status).toBe(401);
    const late = pair.first.service.signInLink?.() ?? '';
    pair.advance(16 * MINUTE);
    const { status: refused } = await pair.first.call('POST', '/console/session', {
      as: null,
      headers: { ...PROOF, 'keyward-console-link': late },
    });
    expect(refused).toBe(401);
  });
});

describe('the page of the console', () => {
  const pair = usePair();
  beforeEach(() => pair.advance(1000));

  it('the page may load, run and ask nothing but what this server serves, and nobody may frame it', async () => {
    for (const path of ['/console', '/console/keys', '/console/keys/key_x?view=all']) {
      const { status, headers, text } = await pair.first.call('GET', path, { as: null });
      expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      expect(headers['content-security-policy']).toContain(
        "default-src 'none'; script-src 'self' 'sha256-",
      );
      expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|https?:/);
      expect(headers['x-frame-options']).toBe('DENY');
      expect(text).not.toMatch(/https?:\/\//);
    }
  });

  it('every file that the page names is there, for ever, and all together are below 200 kB', async () => {
    const { text } = await pair.first.call('GET', '/console', { as: null });
    const paths = new Set(text.match(/\/console\/assets\/[\w/.-]+\.[0-9a-f]{12}\.(js|css|svg)/g));
    expect(paths.size).toBeGreaterThan(30);
    let bytes = 0;
    for (const url of paths) {
      const { status, headers } = await pair.first.call('GET', url, {
        as: null,
        headers: { 'accept-encoding': 'gzip' },
      });
      expect([url, status]).toEqual([url, 200]);
      expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
      bytes += Number(headers['content-length']);
    }
    expect(bytes).toBeLessThan(200_000);
    const gone = await pair.first.call('GET', '/console/assets/main.000000000000.js', { as: null });
    expect(gone.status).toBe(404);
  });

  it('KEYWARD_CONSOLE=off leaves nothing of the console', async () => {
    const database = await createTestDatabase();
    const instance = await launchForTest(database.url, { console: false });
    for (const path of ['/console', '/console/session', '/console/api/v1/keys']) {
      const { status } = await instance.call('GET', path, { headers: PROOF });
      expect([path, status]).toEqual([path, 404]);
    }
    expect(instance.service.signInLink).toBeNull();
  });
});
