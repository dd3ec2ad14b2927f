import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import {
  at,
  makeKey,
  ok,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';

type Authorize = (request: Request, scopes?: string[], ip?: string) => Promise<unknown>;

let program: SharedProgram;
let managementKey: string;
beforeAll(async () => {
  program = await startSharedProgram();
  const body = { name: 'orders-api', permissions: ['keys:verify' as const] };
  managementKey = (await ok(program.root.POST('/v1/management-keys', { body }))).key ?? '';
  return program.end;
});
afterEach(() => vi.unstubAllEnvs());

/** The middleware as the page has it. */
async function middleware(url: string, key = managementKey): Promise<Authorize> {
  vi.stubEnv('KEYWARD_URL', url);
  vi.stubEnv('KEYWARD_MANAGEMENT_KEY', key);
  const page = await readFile(join(import.meta.dirname, '../../docs/middleware.md'), 'utf8');
  const code = /<!-- middleware -->\n```js\n(.*?)```/s.exec(page)?.[1];
  if (code === undefined) throw new Error('the page has the middleware');
  const file = join(await temporaryFolder('keyward-middleware-'), 'middleware.mjs');
  await writeFile(file, code);
  const { authorize } = await import(pathToFileURL(file).href);
  return authorize;
}

function presenting(key: string): Request {
  return new Request('http://orders.internal/', { headers: { authorization: `Bearer ${key}` } });
}

async function shown(answer: unknown): Promise<string> {
  if (!(answer instanceof Response)) return JSON.stringify(answer);
  return `${answer.status} ${await answer.text()} ${answer.headers.get('retry-after')}`;
}

describe('the middleware of docs/middleware.md', () => {
  it('the documented middleware lets a valid key through, and answers each other verdict with its status', async () => {
    const authorize = await middleware(program.url);
    const { root } = program;
    const good = await makeKey(root, { scopes: ['orders:read'] });
    expect(await authorize(presenting(good.key), ['orders:read'])).toMatchObject({
      valid: true,
      keyId: good.id,
    });
    const lacking = await authorize(presenting(good.key), ['orders:write']);
    expect(await shown(lacking)).toBe('403 {"code":"INSUFFICIENT_SCOPE"} null');
    const nobody = await authorize(new Request('http://orders.internal/'));
    expect(await shown(nobody)).toBe('401 {"code":"KEY_MISSING"} null');
    expect(await shown(await authorize(presenting('x'.repeat(3000))))).toBe(
      '401 {"code":"NOT_FOUND"} null',
    );
    await ok(root.POST('/v1/keys/{id}/revoke', at(good.id)));
    expect(await shown(await authorize(presenting(good.key)))).toBe('401 {"code":"REVOKED"} null');
  });

  it('the documented middleware says when a rate limit is over', async () => {
    const authorize = await middleware(program.url);
    const rateLimits = [{ name: 'hourly', limit: 1, windowSeconds: 3600 }];
    const { key } = await makeKey(program.root, { rateLimits });
    expect(await authorize(presenting(key))).toMatchObject({ valid: true });
    expect(await shown(await authorize(presenting(key)))).toMatch(
      /^429 {"code":"RATE_LIMITED"} [1-9]\d*$/,
    );
  });

  it('the documented middleware lets nothing through when it cannot ask, or may not, and tells only its own log why', async () => {
    const { key } = await makeKey(program.root);
    const alone = await middleware(`http://127.0.0.1:${await freePort()}`);
    expect(await shown(await alone(presenting(key)))).toBe('503 {"code":"UNAVAILABLE"} 1');
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    onTestFinished(() => log.mockRestore());
    const unknown = await middleware(program.url, 'kw_nothing');
    expect(await shown(await unknown(presenting(key)))).toBe('503 {"code":"UNAVAILABLE"} 1');
    expect(log.mock.calls.flat().join(' ')).toMatch(/401 .*UNAUTHENTICATED/);
  });
});
