import { readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { socketFits, socketPath } from './endpoint.ts';
import { EmbeddedPostgresError } from './errors.ts';
import { processToken, servesData } from './process-identity.ts';
import { stopServer } from './signals.ts';
import type { Runner } from './unprivileged.ts';

interface LeftoverOptions {
  directory: string;
  pgCtl: string;
  runner: Runner;
}

/**
 * The Postgres of a Keyward that was killed keeps running. It is stopped cleanly rather than adopted,
 * because its settings and version may be older than ours.
 */
export async function clearLeftovers(options: LeftoverOptions): Promise<void> {
  const socket = socketPath(options.directory);
  const locks = [serverLock(options.directory), `${socket}.lock`];
  for (const lock of locks) await stopHolder(options, lock);
  // Before its lock is rewritten: a live server stops at once if it finds another pid in it.
  if (socketFits(options.directory)) await assertNoServer(options.directory, socket);
  for (const lock of locks) await rewriteLockPid(lock);
}

async function stopHolder(options: LeftoverOptions, lock: string): Promise<void> {
  const data = join(options.directory, 'data');
  const served = await realpath(data).catch(() => data);
  const pid = await readPid(lock);
  if (pid === undefined || (await processToken(pid)) === undefined) return;
  if (await servesData(pid, served)) await stopOrphan(options, pid);
}

/**
 * Postgres refuses to start while any process, even an unrelated one or a zombie, has the pid in its
 * lock file, but ignores its parent's. The rest of the file stays: from it Postgres learns whether
 * processes of the old server still use its shared memory.
 */
async function rewriteLockPid(file: string): Promise<void> {
  const lock = await readFile(file, 'utf8').catch(() => undefined);
  if (lock === undefined) return;
  // One that a crash left empty would stop every start.
  if (lock.trim() === '') await rm(file, { force: true });
  else await writeFile(file, lock.replace(/^.*/, String(process.pid)));
}

/** The pid of the server on the directory's data. */
export function servingPid(directory: string): Promise<number | undefined> {
  return readPid(serverLock(directory));
}

function serverLock(directory: string): string {
  return join(directory, 'data', 'postmaster.pid');
}

async function readPid(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return pid > 0 ? pid : undefined;
}

async function stopOrphan(options: LeftoverOptions, pid: number): Promise<void> {
  const token = await processToken(pid);
  const hasEnded = async () => (await processToken(pid)) !== token;
  if (await stopServer({ ...options, pid, hasEnded, mayKill: false })) return;
  throw new EmbeddedPostgresError(
    `a Postgres left over from an earlier start (pid ${pid}) still uses ${options.directory} and does not stop; end it and start again`,
  );
}

/** A server in another container is invisible by its pid, but its socket answers. */
async function assertNoServer(directory: string, socket: string): Promise<void> {
  if (!(await answers(socket))) return;
  throw new EmbeddedPostgresError(
    `a Postgres outside this container or process namespace already uses ${directory}; stop it, or set KEYWARD_DATA_DIR to another folder`,
  );
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
