import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ResolveHost } from '../../src/webhooks/sending/checked-lookup.ts';
import { HttpSender } from '../../src/webhooks/sending/http-sender.ts';
import { connect, createTestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { launchForTest } from '../support/instance.ts';
import { startReceiver } from '../support/receiver.ts';
import { addWebhook, createKey, deliver, deliveriesOf } from '../support/sent-webhooks.ts';

const UNSTOPPED = new AbortController().signal;
const NOT_ASKED: ResolveHost = async () => {
  throw new Error('an address is not looked up');
};

/** A socket that listens on every address of this machine, and the connections that reach it. */
async function listenEverywhere() {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  server.listen(0, '::');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server listens');
  return { port: address.port, connections: () => connections };
}

function send(url: string, resolve: ResolveHost, networks: string[] = [], timeoutMs = 10_000) {
  return new HttpSender({ networks, resolve, timeoutMs }).send(url, {}, '{}', UNSTOPPED);
}

async function selfSigned() {
  const folder = await temporaryFolder('keyward-tls-');
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const args = [
    'req',
    '-x509',
    ...made,
    '-subj',
    '/CN=secure.example',
    '-keyout',
    key,
    '-out',
    cert,
  ];
  execFileSync('openssl', args, { stdio: 'ignore' });
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

const REFUSED = { status: null, error: 'address_not_allowed' };

const INTERNAL = [
  '127.0.0.1',
  '[::1]',
  '169.254.169.254',
  '10.0.0.1',
  '192.168.1.1',
  '172.16.0.1',
  '100.64.0.1',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  '[fe80::1]',
  '[fd00::1]',
  '0.0.0.0',
  '[::]',
  '2130706433',
  '0177.0.0.1',
  '0x7f.0.0.1',
  '0x7f000001',
  '127.1',
  '0',
  '255.255.255.255',
  '224.0.0.1',
];

describe('internal addresses', () => {
  it.each(INTERNAL)('nothing connects to https://%s, nor to http there', async (host) => {
    const { port, connections } = await listenEverywhere();
    expect(await send(`https://${host}:${port}/`, NOT_ASKED)).toEqual(REFUSED);
    expect(await send(`http://${host}:${port}/`, NOT_ASKED)).toEqual(REFUSED);
    expect(connections()).toBe(0);
  });

  it.each(
    ['127.0.0.1', '::1', '169.254.169.254', '10.0.0.1', '::ffff:127.0.0.1', '0.0.0.0'].map(
      (address) => [address],
    ),
  )(
    'nothing connects to a name that leads to %s, alone or beside a public address',
    async (address) => {
      const { port, connections } = await listenEverywhere();
      const url = `https://internal.example:${port}/`;
      expect(await send(url, async () => [address])).toEqual(REFUSED);
      expect(await send(url, async () => ['1.1.1.1', address])).toEqual(REFUSED);
      expect(await send(url, async () => [address, '1.1.1.1'])).toEqual(REFUSED);
      expect(connections()).toBe(0);
    },
  );

  it('nothing connects by http to a public address, or to a name of one', async () => {
    expect(await send('http://1.1.1.1/', NOT_ASKED)).toEqual(REFUSED);
    expect(await send('http://public.example/', async () => ['1.1.1.1'])).toEqual(REFUSED);
  });

  it('an allowed network allows its own addresses alone', async () => {
    const receiver = await startReceiver();
    const { port, connections } = await listenEverywhere();
    expect(await send(receiver.url, NOT_ASKED, ['127.0.0.0/8'])).toEqual({
      status: 204,
      error: null,
    });
    expect(await send(`http://[::1]:${port}/`, NOT_ASKED, ['127.0.0.0/8'])).toEqual(REFUSED);
    expect(await send(`http://10.0.0.1:${port}/`, NOT_ASKED, ['127.0.0.0/8'])).toEqual(REFUSED);
    expect(connections()).toBe(0);
  });
});

describe('names', () => {
  it('the address that is checked is the one that is connected to, also when DNS answers otherwise a moment later', async () => {
    const first = await startReceiver(() => ({ status: 204 }), { host: '127.0.0.2' });
    const secret = await startReceiver(undefined, { host: '127.0.0.1', port: first.port });
    const answers = [['127.0.0.2'], ['127.0.0.1'], ['127.0.0.1']];
    let asked = 0;
    const changing: ResolveHost = async () => answers[asked++] ?? [];
    const url = `http://changing.example:${first.port}/`;
    expect(await send(url, changing, ['127.0.0.2'])).toEqual({ status: 204, error: null });
    expect(asked).toBe(1);
    expect(first.received[0]?.headers.host).toBe(`changing.example:${first.port}`);
    expect(await send(url, changing, ['127.0.0.2'])).toEqual(REFUSED);
    expect(asked).toBe(2);
    expect(secret.connections()).toBe(0);
  });

  it('a redirect to an internal address, or to anywhere, is not followed', async () => {
    const secret = await startReceiver(undefined, { host: '127.0.0.1' });
    for (const status of [301, 302, 303, 307, 308]) {
      const redirecting = await startReceiver(
        () => ({ status, headers: { location: secret.url } }),
        { host: '127.0.0.2' },
      );
      const outcome = await send(redirecting.url, NOT_ASKED, ['127.0.0.2']);
      expect(outcome).toEqual({ status, error: 'redirected' });
    }
    expect(secret.connections()).toBe(0);
  });

  it('a name without an address, and one whose lookup fails, are not resolved or not connected to', async () => {
    const { port } = await listenEverywhere();
    const url = `https://unknown.example:${port}/`;
    expect(await send(url, async () => [])).toEqual({ status: null, error: 'name_not_resolved' });
    const failing: ResolveHost = async () => {
      throw new Error('the resolver is down');
    };
    expect(await send(url, failing)).toEqual({ status: null, error: 'connection_failed' });
  });

  it('TLS is for the name of the URL, not for its address, and a certificate of no authority is refused', async () => {
    const names: unknown[] = [];
    const { cert, key } = await selfSigned();
    const server = createTlsServer({
      cert,
      key,
      SNICallback: (name, done) => {
        names.push(name);
        done(null);
      },
    });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the server listens');
    const url = `https://secure.example:${address.port}/`;
    const outcome = await send(url, async () => ['127.0.0.1'], ['127.0.0.1']);
    expect(outcome).toEqual({ status: null, error: 'certificate_refused' });
    expect(names).toEqual(['secure.example']);
  });
});

describe('bounds of an attempt', () => {
  it('a receiver that takes the connection and never answers fails by the time-out', async () => {
    const receiver = await startReceiver(() => new Promise(() => undefined));
    const outcome = await send(receiver.url, NOT_ASKED, ['127.0.0.1'], 300);
    expect(outcome).toEqual({ status: null, error: 'timed_out' });
  });

  it('a receiver whose answer trickles in fails by the time-out too', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      const trickle = setInterval(() => socket.write('x'), 20);
      socket.on('close', () => clearInterval(trickle));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the server listens');
    const outcome = await send(`http://127.0.0.1:${address.port}/`, NOT_ASKED, ['127.0.0.1'], 300);
    expect(outcome).toEqual({ status: null, error: 'timed_out' });
  });

  it.each([
    ['closes the connection', (text: (data: string) => void) => text('')],
    ['answers no HTTP', (text: (data: string) => void) => text('SSH-2.0-OpenSSH_9.9\r\n')],
    [
      'changes the protocol',
      (text: (data: string) => void) =>
        text('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n'),
    ],
    [
      'goes on with interim answers',
      (text: (data: string) => void) =>
        text(`${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(9)}HTTP/1.1 204 No Content\r\n\r\n`),
    ],
    [
      'ends its answer early',
      (text: (data: string) => void) => text('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'),
    ],
  ])('a receiver that %s is a failed connection', async (_what, answer) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => answer((data) => socket.end(data)));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('the server listens');
    const outcome = await send(`http://127.0.0.1:${address.port}/`, NOT_ASKED, ['127.0.0.1']);
    expect(outcome).toMatchObject({ error: 'connection_failed' });
  });
});

it('a webhook whose name has come to lead to an internal address gets nothing, and the log of its deliveries says why', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const sql = await connect(database.url);
  const { port, connections } = await listenEverywhere();
  const resolveHost: ResolveHost = async () => ['127.0.0.1'];
  const instance = await launchForTest(database.url, {}, { resolveHost });
  const { id } = await addWebhook(sql, { url: `https://receiver.example:${port}/` });
  await createKey(instance);
  await deliver(instance);
  const [delivery] = await deliveriesOf(sql, id);
  expect(delivery.attempts).toMatchObject([{ status: null, error: 'address_not_allowed' }]);
  expect(connections()).toBe(0);
});
