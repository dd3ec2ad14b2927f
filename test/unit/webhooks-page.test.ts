import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { expect, it, onTestFinished } from 'vitest';
import { newSigningSecret } from '../../src/webhooks/signing-secret.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/webhooks.md'), 'utf8');

it('the receiver in docs/webhooks.md accepts what is signed with its secret and nothing else, and each event once', async () => {
  const secret = newSigningSecret();
  const { url, printed } = await startReceiver(secret);
  const body = JSON.stringify({ type: 'key.revoked', data: { target: { id: 'key_1' } } });
  const send = async (id: string, by: string, sent = body, at = new Date()) => {
    const signature = new Webhook(by).sign(id, at, body);
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': signature,
    };
    return (await fetch(url, { method: 'POST', body: sent, headers })).status;
  };
  expect([await send('evt_1', secret), await send('evt_1', secret)]).toEqual([204, 204]);
  expect(await send('evt_2', newSigningSecret())).toBe(401);
  expect(await send('evt_3', secret, body.replace('key_1', 'key_2'))).toBe(401);
  expect(await send('evt_4', secret, body, new Date(Date.now() - 600_000))).toBe(401);
  expect((await fetch(url, { method: 'POST', body })).status).toBe(401);
  expect(await send('evt_5', secret)).toBe(204);
  expect(printed().trim().split('\n')).toEqual(['key.revoked key_1', 'key.revoked key_1']);
});

/** Runs the code of the page; the line about the port is all that it does not print itself. */
async function startReceiver(secret: string) {
  const code = /```js\n(.*?)```/s.exec(PAGE)?.[1] ?? '';
  const port = await freePort();
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', `${code}\nserver.on('listening', () => process.send('up'))`],
    {
      cwd: ROOT,
      env: { SIGNING_SECRET: secret, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    },
  );
  onTestFinished(() => void child.kill());
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  await once(child, 'message');
  return { url: `http://127.0.0.1:${port}/`, printed: () => output };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
