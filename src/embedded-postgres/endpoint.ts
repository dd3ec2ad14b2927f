import { createServer } from 'node:net';
import { join } from 'node:path';
import { USER } from './cluster.ts';
import { EmbeddedPostgresError } from './errors.ts';

export const DATABASE = 'keyward';

// Part of the socket's name; nothing listens on the network.
const SOCKET_PORT = 5432;
// sun_path has 108 bytes on Linux and 104 elsewhere, including the terminating zero.
const SOCKET_PATH_MAX_BYTES = process.platform === 'linux' ? 107 : 103;

/** Where a server listens: a socket in its directory, or loopback if its path is too long. */
export interface Endpoint {
  host: string;
  port: number;
  socketFolder: string | null;
}

export async function chooseEndpoint(directory: string): Promise<Endpoint> {
  if (socketFits(directory)) {
    return { host: directory, port: SOCKET_PORT, socketFolder: directory };
  }
  return { host: '127.0.0.1', port: await freePort(), socketFolder: null };
}

export function socketPath(directory: string): string {
  return join(directory, `.s.PGSQL.${SOCKET_PORT}`);
}

export function socketFits(directory: string): boolean {
  if (process.platform === 'win32') return false;
  return Buffer.byteLength(socketPath(directory)) <= SOCKET_PATH_MAX_BYTES;
}

/** The socket is a parameter, so that `new URL(url)` can read and change the rest. */
export function connectionUrl(endpoint: Endpoint, password: string, database = DATABASE): string {
  const url = new URL(`postgresql://${USER}:${password}@localhost:${endpoint.port}/${database}`);
  url.searchParams.set('host', endpoint.host);
  // Neither path leaves the machine; PGSSLMODE in the environment must not override this.
  url.searchParams.set('sslmode', 'disable');
  return url.href;
}

export function endpointSettings(endpoint: Endpoint): Record<string, string> {
  return {
    listen_addresses: endpoint.socketFolder === null ? endpoint.host : '',
    port: String(endpoint.port),
    unix_socket_directories: quoted(endpoint.socketFolder),
    unix_socket_permissions: '0700',
  };
}

/** The setting is a list: quotes keep a path with commas or spaces together. */
function quoted(folder: string | null): string {
  return folder === null ? '' : `"${folder.replaceAll('"', '""')}"`;
}

function freePort(): Promise<number> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new EmbeddedPostgresError('no loopback port is free; set DATABASE_URL'));
      });
    });
  });
}
