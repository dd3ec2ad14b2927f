import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { chooseRunner, type Runner } from '../../src/embedded-postgres/unprivileged.ts';
import { freePort } from './free-port.ts';

/** A real PgBouncer in front of a Postgres. */
export interface PgBouncer {
  /** The Postgres behind it: host, port and user. */
  serverUrl: string;
  port: number;
}

const READY_MS = 10_000;

/**
 * In transaction mode, with `poolSize` connections to each database for each user. PgBouncer
 * refuses to run as root, as Postgres does.
 */
export async function startPgBouncer(serverUrl: string, poolSize = 40) {
  const program = process.env.KEYWARD_TEST_PGBOUNCER ?? 'pgbouncer';
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'keyward-pgbouncer-'));
  const runner = await chooseRunner(program, folder);
  const port = await freePort();
  await writeFile(join(folder, 'pgbouncer.ini'), settings(serverUrl, { port, folder, poolSize }));
  await writeFile(join(folder, 'users.txt'), userLine(new URL(serverUrl)));
  const child = run(runner, program, join(folder, 'pgbouncer.ini'));
  const ended = once(child, 'close');
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  await waitUntilListening(child, port).catch(async (error) => {
    await stop();
    throw error;
  });
  const pgbouncer: PgBouncer = { serverUrl, port };
  return { pgbouncer, stop };
}

/** Those in front of the servers of single tests. */
const ownPgBouncers = new Set<PgBouncer>();

/** Instances reach this server through a PgBouncer from now on, until that is stopped. */
export async function putPgBouncerBefore(serverUrl: string): Promise<() => Promise<void>> {
  const { pgbouncer, stop } = await startPgBouncer(serverUrl);
  ownPgBouncers.add(pgbouncer);
  return async () => {
    ownPgBouncers.delete(pgbouncer);
    await stop();
  };
}

/** The URL through one of these; null if none of them is in front of the database. */
export function throughPgBouncer(databaseUrl: string, ofTheRun: PgBouncer | null): string | null {
  const inFront = [ofTheRun, ...ownPgBouncers].find(
    (each) => each && addressOf(each.serverUrl) === addressOf(databaseUrl),
  );
  if (!inFront) return null;
  const url = new URL(databaseUrl);
  url.searchParams.delete('host');
  url.hostname = '127.0.0.1';
  url.port = String(inFront.port);
  return url.href;
}

/** Passwords of other roles are not in PgBouncer's list of users: it reads them from the server. */
function settings(
  serverUrl: string,
  { port, folder, poolSize }: { port: number; folder: string; poolSize: number },
): string {
  const { host, port: serverPort, user } = partsOf(serverUrl);
  return `
[databases]
* = host=${host} port=${serverPort} auth_user=${user}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
pool_mode = transaction
auth_type = scram-sha-256
auth_file = ${join(folder, 'users.txt')}
max_client_conn = 1000
default_pool_size = ${poolSize}
server_idle_timeout = 5
server_login_retry = 0.1
`;
}

function userLine({ username, password }: URL): string {
  const quoted = (text: string) => `"${decodeURIComponent(text).replaceAll('"', '""')}"`;
  return `${quoted(username)} ${quoted(password)}\n`;
}

function run({ prefix, account }: Runner, program: string, file: string): ChildProcess {
  const [command = program, ...args] = [...prefix, program, '-q', file];
  return spawn(command, args, { cwd: '/', stdio: ['ignore', 'ignore', 'inherit'], ...account });
}

async function waitUntilListening(child: ChildProcess, port: number): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error('pgbouncer did not start; see its log above');
    }
    await delay(20);
  }
}

function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).then((isOpen) => {
    socket.destroy();
    return isOpen === true;
  });
}

function addressOf(databaseUrl: string): string {
  const { host, port } = partsOf(databaseUrl);
  return `${host}:${port}`;
}

/** The parameter `host` may be the folder of a unix socket, as in libpq. */
function partsOf(databaseUrl: string) {
  const { hostname, port, searchParams, username } = new URL(databaseUrl);
  const host = searchParams.get('host') ?? hostname;
  return { host, port: port || '5432', user: decodeURIComponent(username) };
}
