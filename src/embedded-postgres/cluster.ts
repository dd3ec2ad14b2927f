import { randomBytes } from 'node:crypto';
import { chown, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { EmbeddedPostgresError, errorCode, lastLine } from './errors.ts';
import { type Runner, run } from './unprivileged.ts';

export const USER = 'keyward';

/** An initdb that was killed may leave a process that writes; it fails once its files are gone. */
const REMOVAL = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 };

interface ClusterOptions {
  directory: string;
  binaries: Binaries;
  runner: Runner;
  durable: boolean;
  stop: AbortSignal;
}

export interface Cluster {
  data: string;
  password: string;
}

/** Creates the cluster at the first start; later checks that these binaries can open it. */
export async function ensureCluster(options: ClusterOptions): Promise<Cluster> {
  const { directory, binaries } = options;
  const data = join(directory, 'data');
  const clusterMajor = await majorOfCluster(data);
  if (clusterMajor === undefined) return createCluster(options, data);
  if (clusterMajor !== binaries.major) {
    throw new EmbeddedPostgresError(
      `${data} was made by PostgreSQL ${clusterMajor} and the embedded one is ${binaries.major}; run the Keyward version that made it and migrate the data with pg_dump, or set KEYWARD_DATA_DIR to a new folder`,
    );
  }
  return { data, password: await readPassword(directory) };
}

async function majorOfCluster(data: string): Promise<string | undefined> {
  try {
    return (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The data directory appears complete or not at all, even if the power fails. */
async function createCluster(options: ClusterOptions, data: string): Promise<Cluster> {
  const { directory } = options;
  await removeUnfinished(directory);
  const password = await writePassword(directory, options.runner);
  const unfinished = join(directory, `initdb-${randomBytes(6).toString('hex')}`);
  await initialise(options, unfinished);
  await rename(unfinished, data).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error;
    throw new EmbeddedPostgresError(
      `${data} contains files but no Postgres cluster; move them away, or set KEYWARD_DATA_DIR to another folder`,
    );
  });
  await syncFolder(directory);
  return { data, password };
}

async function initialise(options: ClusterOptions, target: string): Promise<void> {
  const { binaries, runner, directory, durable, stop } = options;
  const args = [
    ...['--pgdata', target, '--username', USER, '--encoding', 'UTF8', '--data-checksums'],
    ...['--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
    // A password on the socket too: peer authentication cannot name a user of another namespace,
    // and one method for socket and loopback is easier to trust than two.
    ...['--auth', 'scram-sha-256', '--pwfile', passwordFile(directory), '--no-instructions'],
    ...(durable ? [] : ['--no-sync']),
  ];
  const outcome = await run(runner, binaries.initdb, args, directory, stop);
  if (outcome.ok && !stop.aborted) return;
  await rm(target, REMOVAL);
  stop.throwIfAborted();
  throw new EmbeddedPostgresError(
    `initdb could not create a database in ${directory} (${lastLine(outcome.stderr)}); correct that, or set DATABASE_URL`,
  );
}

async function removeUnfinished(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.startsWith('initdb-'));
  for (const name of names) await rm(join(directory, name), REMOVAL);
}

/** Without a cluster no password is in use yet: one that an interrupted start left is replaced. */
async function writePassword(directory: string, runner: Runner): Promise<string> {
  const file = passwordFile(directory);
  const password = randomBytes(24).toString('base64url');
  await rm(file, { force: true });
  await writeFile(file, password, { flag: 'wx', mode: 0o600, flush: true });
  if (runner.account !== null) await chown(file, runner.account.uid, runner.account.gid);
  return password;
}

async function readPassword(directory: string): Promise<string> {
  const password = await readFile(passwordFile(directory), 'utf8').catch(() => '');
  if (password !== '') return password;
  throw new EmbeddedPostgresError(
    `${passwordFile(directory)}, the password of the database beside it, is missing or empty; restore it from a backup, or set KEYWARD_DATA_DIR to a new folder`,
  );
}

function passwordFile(directory: string): string {
  return join(directory, 'password');
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}
