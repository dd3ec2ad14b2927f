import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Config } from '../config.ts';
import { Pepper } from '../domain/pepper.ts';
import { RootKey } from '../domain/root-key.ts';
import { startEmbeddedPostgres } from '../embedded-postgres/postgres.ts';
import { explainFileError } from '../lib/file-errors.ts';
import type { Log } from '../lib/log-events.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { untilStopped } from '../lib/stop.ts';
import { migrate } from './migrate.ts';
import { whenReady } from './wait.ts';

/** A migrated database with the secrets that belong to it. */
export interface OpenDatabase {
  url: string;
  pepper: Pepper | null;
  rootKey: RootKey | null;
  /** Where the embedded database is; null if there is none. */
  dataDirectory: string | null;
  /** Contains the generated root key; null if none was generated. */
  rootKeyFile: string | null;
  /** Resolves if an embedded database ends unexpectedly. */
  lost: Promise<void>;
  close: () => Promise<void>;
}

/** Rejects with the reason of a stop that comes earlier, when nothing runs any more. */
export async function openDatabase(
  config: Config,
  log: Log,
  stop: AbortSignal,
): Promise<OpenDatabase> {
  stop.throwIfAborted();
  return config.databaseUrl === undefined
    ? openEmbedded(config, stop)
    : openExternal(config, config.databaseUrl, log, stop);
}

export async function openEmbedded(config: Config, stop: AbortSignal): Promise<OpenDatabase> {
  const dataDirectory = resolve(config.dataDirectory);
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 }).catch(refuseFolder);
  const postgres = await startEmbeddedPostgres({
    directory: join(dataDirectory, 'postgres'),
    durable: true,
    stop,
  });
  let stopping = false;
  const close = () => {
    stopping = true;
    return postgres.stop();
  };
  try {
    await untilStopped(stop, migrate(postgres.url));
    const rootKeyFile = config.rootKey === null ? join(dataDirectory, 'root-key') : null;
    return {
      url: postgres.url,
      pepper: config.pepper ?? new Pepper(await generated(join(dataDirectory, 'secret'))),
      rootKey: rootKeyFile ? new RootKey(await generated(rootKeyFile)) : config.rootKey,
      dataDirectory,
      rootKeyFile,
      lost: postgres.exited.then(() => (stopping ? new Promise<void>(() => {}) : undefined)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function refuseFolder(error: unknown): never {
  const problem = explainFileError(error);
  throw problem === null ? error : new OperatorError(`KEYWARD_DATA_DIR: ${problem}`);
}

async function openExternal(
  config: Config,
  url: string,
  log: Log,
  stop: AbortSignal,
): Promise<OpenDatabase> {
  await whenReady(() => migrate(url), log, stop);
  return {
    url,
    pepper: config.pepper,
    rootKey: config.rootKey,
    dataDirectory: null,
    rootKeyFile: null,
    lost: new Promise(() => {}),
    close: () => Promise.resolve(),
  };
}

/** Less is what a crash left, or could be guessed. */
const USABLE_SECRET = /^[\w-]{32,256}$/;

/** A random secret in a file that is made once, readable by its owner alone. */
async function generated(path: string): Promise<string> {
  try {
    const secret = randomBytes(32).toString('base64url');
    await writeFile(path, secret, { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const secret = (await readOwnFile(path)).trim();
  if (USABLE_SECRET.test(secret)) return secret;
  throw new OperatorError(
    `${path} must hold 32 to 256 characters of A-Za-z0-9_-; restore it from a backup, or delete it to have a new one made.`,
  );
}

/** Neither a link nor readable by others: what is there may be known to them. */
async function readOwnFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(refuseFile(path));
  try {
    const status = await file.stat();
    if (!status.isFile()) return refuseFile(path)();
    // Windows has no such bits.
    if (process.platform === 'win32' || (status.mode & 0o077) === 0)
      return await file.readFile('utf8');
    throw new OperatorError(
      `${path} can be read by other users; replace it if they may have, else run chmod 600 on it.`,
    );
  } finally {
    await file.close();
  }
}

function refuseFile(path: string) {
  return (): never => {
    throw new OperatorError(`${path} must be a file that Keyward can read, and no link.`);
  };
}
