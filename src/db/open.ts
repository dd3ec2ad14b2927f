import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DrizzleQueryError } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { startEmbeddedPostgres } from '../embedded-postgres/postgres.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { isUnavailable, sqlState } from './errors.ts';
import { migrate, ReadOnlyDatabaseError } from './migrate.ts';

/** A migrated database with the secrets that belong to it. */
export interface OpenDatabase {
  url: string;
  secret: string | undefined;
  rootKey: string | undefined;
  /** Where the embedded database is; null if there is none. */
  dataDirectory: string | null;
  /** Contains the generated root key; null if none was generated. */
  rootKeyFile: string | null;
  /** Resolves if an embedded database ends unexpectedly. */
  lost: Promise<void>;
  close: () => Promise<void>;
}

export class DatabaseUnreachableError extends OperatorError {
  override name = 'DatabaseUnreachableError';
}

const WAIT_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 3000;

export function openDatabase(config: Config, log: Logger): Promise<OpenDatabase> {
  return config.databaseUrl === undefined
    ? openEmbedded(config)
    : openExternal(config, config.databaseUrl, log);
}

export async function openEmbedded(config: Config): Promise<OpenDatabase> {
  const dataDirectory = resolve(config.dataDirectory);
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const postgres = await startEmbeddedPostgres({
    directory: join(dataDirectory, 'postgres'),
    durable: true,
  });
  let stopping = false;
  const close = () => {
    stopping = true;
    return postgres.stop();
  };
  try {
    await migrate(postgres.url);
    const rootKeyFile = config.rootKey === undefined ? join(dataDirectory, 'root-key') : null;
    return {
      url: postgres.url,
      secret: config.secret ?? (await generated(join(dataDirectory, 'secret'))),
      rootKey: rootKeyFile ? await generated(rootKeyFile) : config.rootKey,
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

/** Waits up to a minute for a database that comes up later than the service. */
async function openExternal(config: Config, url: string, log: Logger): Promise<OpenDatabase> {
  const deadline = performance.now() + WAIT_MS;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      await migrate(url);
      break;
    } catch (error) {
      // A replica may be about to be promoted.
      const isReplica = error instanceof ReadOnlyDatabaseError;
      if (!isReplica && !isUnavailable(error)) throw explained(error);
      if (performance.now() > deadline) throw isReplica ? error : unreachable(error);
      log.warn({ err: error, retryInMs: pause }, 'waiting for the database');
      await delay(pause);
    }
  }
  return {
    url,
    secret: config.secret,
    rootKey: config.rootKey,
    dataDirectory: null,
    rootKeyFile: null,
    lost: new Promise(() => {}),
    close: () => Promise.resolve(),
  };
}

/** A random secret in a file that is made once, readable by its owner alone. */
async function generated(path: string): Promise<string> {
  try {
    await writeFile(path, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return (await readFile(path, 'utf8')).trim();
}

const REFUSALS: Record<string, string> = {
  '28P01': 'The database refused the password in DATABASE_URL.',
  '28000': 'The database refused the user in DATABASE_URL.',
  '3D000': 'The database named in DATABASE_URL does not exist; create it first.',
  '42501':
    'The user in DATABASE_URL lacks rights on the tables; run `keyward grants ROLE --apply` for it as their owner.',
};

/** Turns what the operator can put right into one sentence. */
export function explainDatabase(error: unknown): unknown {
  return isUnavailable(error) ? unreachable(error) : explained(error);
}

const NO_TLS = /^The server does not support SSL connections/;
const TLS_CODE = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

function explained(error: unknown): unknown {
  const sentence = REFUSALS[sqlState(error) ?? ''] ?? explainTls(error);
  return sentence ? new DatabaseUnreachableError(sentence) : error;
}

/** What `sslmode` in DATABASE_URL asks for and the server does not offer or prove. */
function explainTls(error: unknown): string | undefined {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(cause instanceof Error)) return undefined;
  if (NO_TLS.test(cause.message)) {
    return 'DATABASE_URL asks for TLS (sslmode), which the database does not offer; enable it there, or use sslmode=disable on a network that you trust.';
  }
  const code = sqlState(cause) ?? '';
  return TLS_CODE.test(code)
    ? `The certificate of the database is not trusted (${code}); name its CA file in DATABASE_URL: sslmode=verify-full&sslrootcert=/path/to/ca.pem.`
    : undefined;
}

function unreachable(error: unknown): DatabaseUnreachableError {
  const code = sqlState(error) ?? 'no answer';
  return new DatabaseUnreachableError(
    `The database in DATABASE_URL cannot be reached (${code}); check its host, port and network.`,
  );
}
