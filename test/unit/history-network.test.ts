import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Network } from '../history/harness/network.ts';
import { Random } from '../history/harness/random.ts';

const CHUNKS = Array.from({ length: 400 }, (_, i) => `${i} `);
const SENT = CHUNKS.join('');

it('the network of the history checker keeps the order of data that it delays, also when it is restored meanwhile', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-network-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const postgres = createServer(sendChunks).listen(join(folder, '.s.PGSQL.1'));
  onTestFinished(() => void postgres.close());
  await once(postgres, 'listening');
  const url = `postgres://keyward@localhost:1/keyward?host=${folder}`;
  const network = await Network.open(url, new Random(1));
  onTestFinished(() => network.close());
  network.delay(20);
  const socket = connect(Number(new URL(network.url).port), '127.0.0.1');
  let received = '';
  for await (const chunk of socket) {
    received += chunk;
    if (received.length >= SENT.length) break;
    network.restore();
    // The loop is busy while delayed data falls due, as it is under load.
    const until = performance.now() + 3;
    while (performance.now() < until);
    network.delay(20);
  }
  expect(received).toBe(SENT);
});

async function sendChunks(socket: Socket): Promise<void> {
  socket.setNoDelay(true);
  for (const chunk of CHUNKS) {
    socket.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
