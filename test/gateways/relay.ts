import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Relay {
  address: string;
  /** What has been sent to the server so far. */
  bytes: () => number;
  /** From now on the server's answers are kept back. */
  freeze: () => void;
  close: () => Promise<void>;
}

/** Stands between a gateway and Keyward, and counts. Closed, it refuses connections. */
export async function startRelay(target: URL): Promise<Relay> {
  let bytes = 0;
  let isFrozen = false;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    near.on('data', (chunk) => {
      bytes += chunk.length;
      far.write(chunk);
    });
    far.on('data', (chunk) => {
      if (!isFrozen) near.write(chunk);
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the relay listens');
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((done) => server.close(done));
  };
  const freeze = () => {
    isFrozen = true;
  };
  return { address: `127.0.0.1:${address.port}`, bytes: () => bytes, freeze, close };
}
