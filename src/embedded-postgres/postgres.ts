import { chmod, mkdir, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { locateBinaries } from './binaries.ts';
import { ensureCluster } from './cluster.ts';
import { chooseEndpoint, connectionUrl, type Endpoint } from './endpoint.ts';
import { EmbeddedPostgresError, errorCode, errorMessage } from './errors.ts';
import { clearLeftovers } from './leftovers.ts';
import { lockDirectory, type OwnerLock } from './owner-lock.ts';
import { waitUntilReady } from './readiness.ts';
import { type Server, type ServerOptions, spawnServer } from './server.ts';
import { readLogTail, rotateLog } from './server-log.ts';
import { chooseRunner } from './unprivileged.ts';

export interface EmbeddedPostgresOptions {
  /** Folder of the cluster, e.g. './.keyward/postgres'; created with mode 0700 if missing. */
  directory: string;
  /** False in tests alone: committed data may be lost when the machine stops. */
  durable: boolean;
  /** Further server settings, e.g. `{ max_connections: '200' }`. */
  settings?: Readonly<Record<string, string>>;
  /** Ends the start: it rejects with the signal's reason when nothing runs any more. */
  stop?: AbortSignal;
}

export interface EmbeddedPostgres {
  /** Connection URL with the password: must never be logged. */
  url: string;
  /** The process id of the server, the postmaster. */
  pid: number;
  /** Resolves when the server has ended, by `stop` or unexpectedly. */
  exited: Promise<void>;
  /** Fast shutdown: open transactions are rolled back. Idempotent. */
  stop(): Promise<void>;
}

interface Running {
  server: Server;
  endpoint: Endpoint;
}

const UNWRITABLE = ['EACCES', 'EPERM', 'EROFS', 'EEXIST', 'ENOTDIR'];
const START_ATTEMPTS = 15;
// A port taken since it was chosen, a server spawned just before its Keyward was killed, or
// processes of a killed server that have not ended yet.
const TRANSIENT_FAILURE =
  /Address already in use|lock file .* already exists|shared memory block .* is still in use/;

/** Starts a server on a directory of its own; creates the database at the first start. */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const directory = await prepareDirectory(options.directory);
  const lock = await lockDirectory(directory).catch(refuseUnwritable(directory));
  try {
    return await startLocked(directory, options, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function startLocked(
  directory: string,
  options: EmbeddedPostgresOptions,
  lock: OwnerLock,
): Promise<EmbeddedPostgres> {
  const { durable, settings = {}, stop = new AbortController().signal } = options;
  const binaries = await locateBinaries();
  const runner = await chooseRunner(binaries.postgres, directory);
  const cluster = await ensureCluster({ directory, binaries, runner, durable, stop });
  const log = await rotateLog(directory);
  const server = { binaries, runner, cluster, directory, log, durable, settings };
  const running = await startServer(server, stop);
  return supervised(running, connectionUrl(running.endpoint, cluster.password), lock);
}

async function startServer(options: ServerOptions, stop: AbortSignal): Promise<Running> {
  for (let attempt = 1; ; attempt++) {
    stop.throwIfAborted();
    try {
      return await tryServer(options, stop);
    } catch (error) {
      if (error === stop.reason) throw error;
      const isTransient = TRANSIENT_FAILURE.test(await readLogTail(options.log).catch(() => ''));
      if (!isTransient || attempt === START_ATTEMPTS) throw error;
      await delay(100 * attempt);
    }
  }
}

async function tryServer(options: ServerOptions, stop: AbortSignal): Promise<Running> {
  const { directory, binaries, runner, cluster, log } = options;
  await clearLeftovers({ directory, runner, pgCtl: binaries.pgCtl });
  const endpoint = await chooseEndpoint(directory);
  const server = await spawnServer(options, endpoint);
  try {
    const awaited = { server, endpoint, directory, password: cluster.password, log };
    await waitUntilReady(awaited, stop);
    return { server, endpoint };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function supervised({ server }: Running, url: string, lock: OwnerLock): EmbeddedPostgres {
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= server.stop().finally(() => lock.release());
    return stopped;
  };
  return { url, pid: server.pid, exited: server.exited, stop };
}

async function prepareDirectory(directory: string): Promise<string> {
  try {
    // The folders above stay traversable: if root has no user namespaces, another account runs
    // Postgres in this one.
    await mkdir(dirname(directory), { recursive: true, mode: 0o711 });
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) await chmod(directory, 0o700);
    return await realpath(directory);
  } catch (error) {
    return refuseUnwritable(directory)(error);
  }
}

function refuseUnwritable(directory: string): (error: unknown) => never {
  return (error) => {
    if (!UNWRITABLE.includes(errorCode(error) ?? '')) throw error;
    throw new EmbeddedPostgresError(
      `Keyward cannot write to ${directory} (${errorMessage(error)}); make it writable, or set KEYWARD_DATA_DIR to another folder or DATABASE_URL`,
    );
  };
}
