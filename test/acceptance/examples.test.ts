import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { freePort, launchProgram, waitUntilStarted } from '../support/program.ts';
import {
  at,
  makeKey,
  ok,
  ROOT_KEY,
  type SharedProgram,
  startSharedProgram,
} from '../support/shared-program.ts';

const ROOT = join(import.meta.dirname, '../..');

let keyward: SharedProgram;
beforeAll(async () => {
  const secret = 'secret-of-the-examples-0123456789abcdef';
  const networks = '127.0.0.1';
  keyward = await startSharedProgram({
    KEYWARD_SECRET: secret,
    KEYWARD_WEBHOOK_NETWORKS: networks,
  });
  return keyward.end;
});

/** Runs the commands of an example's README, on another port than they name. */
async function startExample(name: string, port = '0') {
  const readme = await readFile(join(ROOT, 'examples', name, 'README.md'), 'utf8');
  const commands = /```sh\n(.*?)```/s.exec(readme)?.[1] ?? '';
  const start = `PORT=${port} exec node examples/${name}/server.js`;
  const script = commands.replace(/^PORT=\d+ node \S+$/m, start).replaceAll(':8081/', `:${port}/`);
  expect(script).toContain(start);
  const settings = {
    keyward: keyward.url,
    root: `Authorization: Bearer ${ROOT_KEY}`,
    json: 'Content-Type: application/json',
  };
  const command = ['bash', '-euc', `cd '${ROOT}'\n${script}`];
  return waitUntilStarted(launchProgram(settings, { command }));
}

async function answer(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init);
  const body = JSON.parse(await response.text());
  return { status: response.status, headers: response.headers, body };
}

it('the example of an API lets a key through by its scope alone, and refuses others as its README says', async () => {
  const { url } = await startExample('node-http-api');
  const rateLimits = [{ name: 'hourly', limit: 2, windowSeconds: 3600 }];
  const given = { scopes: ['orders:read'], ownerId: 'customer_42', rateLimits };
  const { id, key } = await makeKey(keyward.root, given);
  const as = (string: string) => ({ headers: { authorization: `Bearer ${string}` } });
  const orders = await answer(`${url}/orders`, as(key));
  expect(orders).toMatchObject({ status: 200, body: [{ item: 'tea' }] });
  const written = await answer(`${url}/orders`, { method: 'POST', ...as(key) });
  expect(written).toMatchObject({ status: 403, body: { error: 'INSUFFICIENT_SCOPE' } });
  expect(await answer(`${url}/orders`)).toMatchObject({ status: 401 });
  expect(await answer(`${url}/elsewhere`, as(key))).toMatchObject({ status: 404 });
  await answer(`${url}/orders`, as(key));
  const limited = await answer(`${url}/orders`, as(key));
  expect(limited.status).toBe(429);
  expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  await ok(keyward.root.POST('/v1/keys/{id}/revoke', at(id)));
  expect(await answer(`${url}/orders`, as(key))).toMatchObject({
    status: 401,
    body: { error: 'REVOKED' },
  });
});

it('the example of a dashboard shows each customer the keys of its own workspace, and each string once', async () => {
  const { url } = await startExample('dashboard-bff');
  const by = (user: string, method = 'GET', body?: object): RequestInit => ({
    method,
    headers: { cookie: `session=session-of-${user}`, 'sec-fetch-site': 'same-origin' },
    ...(body && { body: JSON.stringify(body) }),
  });
  const made = await answer(`${url}/keys`, by('ada', 'POST', { name: 'laptop', scopes: ['*'] }));
  expect(made.body).toMatchObject({ name: 'laptop', scopes: ['orders:read'] });
  const { id, key } = made.body;
  const listed = await answer(`${url}/keys`, by('ada'));
  expect(listed.body).toMatchObject([{ id, status: 'active' }]);
  expect(JSON.stringify(listed.body)).not.toContain(key);
  expect((await answer(`${url}/keys`, by('bob'))).body).toEqual([]);
  expect(await answer(`${url}/keys/${id}/revoke`, by('bob', 'POST'))).toMatchObject({
    status: 404,
  });
  expect(await answer(`${url}/keys`)).toMatchObject({ status: 401 });
  const forged = { method: 'POST', headers: { cookie: 'session=session-of-ada' } };
  expect(await answer(`${url}/keys/${id}/revoke`, forged)).toMatchObject({ status: 403 });
  const rotated = await answer(`${url}/keys/${id}/rotate`, by('ada', 'POST'));
  expect(rotated.body.key).not.toBe(key);
  const revoked = await answer(`${url}/keys/${id}/revoke`, by('ada', 'POST'));
  expect(revoked.body).toMatchObject({ id, status: 'revoked' });
  const query = { workspaceId: 'acme', limit: 1 };
  const { data } = await ok(keyward.root.GET('/v1/audit-events', { params: { query } }));
  expect(data).toMatchObject([{ action: 'key.revoked', actor: { onBehalfOf: 'user:ada' } }]);
});

it('the example of a receiver takes what Keyward signed, once, and nothing else', async () => {
  const { url, stdout } = await startExample('webhook-receiver', String(await freePort()));
  const { id } = await makeKey(keyward.root);
  await ok(keyward.root.POST('/v1/keys/{id}/revoke', at(id)));
  await vi.waitFor(() => expect(stdout()).toContain(`revoked: ${id}`), { timeout: 20_000 });
  const forged = { type: 'key.revoked', data: { target: { id: 'key_forged' } } };
  const headers = { 'webhook-id': 'x', 'webhook-timestamp': '1', 'webhook-signature': 'v1,x' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(forged) });
  expect(response.status).toBe(401);
  expect(stdout()).not.toContain('key_forged');
});

/** Sends bytes, and hangs up. */
async function hangUpAfter(url: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => {});
  await once(socket, 'connect');
  await new Promise((sent) => socket.write(bytes, sent));
  socket.destroy();
  await once(socket, 'close');
}

it.each(['node-http-api', 'dashboard-bff', 'webhook-receiver'])(
  'the example %s goes on after a path that is no URL, and after a client that hangs up in its body',
  async (name) => {
    const { url, stderr } = await startExample(name, String(await freePort()));
    const cookie = 'Cookie: session=session-of-ada\r\nSec-Fetch-Site: same-origin\r\n';
    await hangUpAfter(url, 'GET // HTTP/1.1\r\nHost: x\r\n\r\n');
    await hangUpAfter(url, `POST /keys HTTP/1.1\r\nHost: x\r\n${cookie}Content-Length: 9\r\n\r\n{`);
    expect((await fetch(`${url}/elsewhere`)).status).toBeLessThan(500);
    expect((await fetch(`${url}//`)).status).toBeLessThan(500);
    expect(stderr()).toBe('');
  },
);
