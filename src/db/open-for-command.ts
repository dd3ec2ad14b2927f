import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import type { Config } from '../config.ts';
import type { Pepper } from '../domain/pepper.ts';
import type { RootKey } from '../domain/root-key.ts';
import { DirectoryInUseError } from '../embedded-postgres/errors.ts';
import { untilStopped } from '../lib/stop.ts';
import type { Orm } from './database.ts';
import { PendingMigrationsError, pendingMigrations } from './migrate.ts';
import { openEmbedded } from './open.ts';
import { DatabaseUnreachableError, explainDatabase } from './refusals.ts';
import * as schema from './schema.ts';

const CONNECT_TIMEOUT_MS = 5000;

/** What commands are given. */
export interface CommandContext {
  /** Reads and checks the settings. */
  settings: () => Config;
  /** Aborted when the process has to end. */
  stop: AbortSignal;
}

/** The database of a command that runs and ends. */
export interface CommandDatabase {
  url: string;
  /** On one connection, without a time limit on statements. */
  orm: Orm;
  /** From KEYWARD_SECRET, or the one that was generated for the embedded database. */
  pepper: Pepper | null;
  /** From KEYWARD_ROOT_KEY, or likewise the generated one: nothing that is stored may contain it. */
  rootKey: RootKey | null;
}

/** Runs work on a database that exists and is up to date; nothing is created or migrated. */
export async function withDatabase<T>(
  { settings, stop }: CommandContext,
  work: (database: CommandDatabase) => Promise<T>,
): Promise<T> {
  const config = settings();
  const { databaseUrl } = config;
  if (databaseUrl !== undefined) return untilStopped(stop, onUrl(databaseUrl, config, work));
  await requireEmbedded(config.dataDirectory);
  const embedded = await openEmbedded(config, stop).catch(suggestApi);
  try {
    return await untilStopped(stop, onUrl(embedded.url, embedded, work));
  } finally {
    await embedded.close();
  }
}

async function onUrl<T>(
  url: string,
  { pepper, rootKey }: Pick<CommandDatabase, 'pepper' | 'rootKey'>,
  work: (database: CommandDatabase) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'keyward command',
  });
  pool.on('error', () => {});
  try {
    const orm = drizzle(pool, { schema });
    await requireMigrated(orm);
    return await work({ url, orm, pepper, rootKey });
  } catch (error) {
    throw explainDatabase(error);
  } finally {
    await pool.end();
  }
}

async function requireMigrated(orm: Orm): Promise<void> {
  const pending = await pendingMigrations(orm);
  if (pending === 0) return;
  throw new PendingMigrationsError(
    `The schema lacks ${pending} migrations of this version; run \`keyward migrate\` first.`,
  );
}

/** One process at a time can use the embedded database; while Keyward runs, its API is the way. */
function suggestApi(error: unknown): never {
  if (!(error instanceof DirectoryInUseError)) throw error;
  throw new DirectoryInUseError(
    `${error.message}; while it runs, call its API with the root key in the file root-key of KEYWARD_DATA_DIR`,
  );
}

async function requireEmbedded(dataDirectory: string): Promise<void> {
  const directory = resolve(dataDirectory);
  await access(join(directory, 'postgres')).catch(() => {
    throw new DatabaseUnreachableError(
      `There is no embedded database in ${directory}; set KEYWARD_DATA_DIR to its folder, or set DATABASE_URL.`,
    );
  });
}
