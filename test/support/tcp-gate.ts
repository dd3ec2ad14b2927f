import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** Forwards a loopback port to a Postgres, until the test ends. */
export async function openGate(databaseUrl: string, port: number): Promise<void> {
  const sockets = new Set<Socket>();
  const gate = createServer((client) => {
    const server = connectTo(databaseUrl);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.pipe(server).pipe(client);
  });
  gate.listen(port, '127.0.0.1');
  await once(gate, 'listening');
  onTestFinished(() => {
    gate.close();
    for (const socket of sockets) socket.destroy();
  });
}

/** The parameter `host` may be the folder of a unix socket, as in libpq. */
function connectTo(databaseUrl: string): Socket {
  const { hostname, port, searchParams } = new URL(databaseUrl);
  const host = searchParams.get('host') ?? hostname;
  const number = Number(port || 5432);
  return host.startsWith('/') ? connect(`${host}/.s.PGSQL.${number}`) : connect(number, host);
}
