import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { migrate as runMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { OperatorError } from '../lib/operator-error.ts';
import { sqlState } from './errors.ts';
import { ReadOnlyDatabaseError } from './refusals.ts';

const MIGRATIONS = {
  migrationsFolder: fileURLToPath(new URL('../../migrations', import.meta.url)),
};
const LOCK = 5_396_119;
const OLDEST_VERSION = 14;
const TURN_PAUSE_MS = 100;

class DatabaseVersionError extends OperatorError {
  override name = 'DatabaseVersionError';
}

/** The schema is older than this version needs, and was not brought up to date. */
export class PendingMigrationsError extends OperatorError {
  override name = 'PendingMigrationsError';
}

type Executor = Pick<ReturnType<typeof drizzle>, 'execute'>;

/**
 * Brings the schema up to date. If it is already, this needs no more rights than reading, so that
 * a service may run as a user who cannot change tables. Instances that start together take turns.
 */
export async function migrate(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 2, connectionTimeoutMillis: 5000 });
  pool.on('error', () => {});
  // Also on a client in use: an error without a listener ends the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  try {
    const orm = drizzle(pool);
    await requireVersion(orm);
    await requireWritable(orm);
    while ((await pendingMigrations(orm)) > 0 && !(await migrateInTurn(orm))) {
      await delay(TURN_PAUSE_MS);
    }
  } finally {
    await pool.end();
  }
}

/**
 * One transaction holds the advisory lock while another migrates, which also works behind a
 * transaction pooler. False if another instance has the lock: to wait for it inside a transaction
 * could occupy the pooler's connection that the other instance needs.
 */
function migrateInTurn(orm: NodePgDatabase): Promise<boolean> {
  return orm.transaction(async (lock) => {
    const { rows } = await lock.execute<{ taken: boolean }>(
      sql`select pg_try_advisory_xact_lock(${LOCK}) as taken`,
    );
    if (!rows[0]?.taken) return false;
    const pending = await pendingMigrations(orm);
    if (pending > 0) await runMigrations(orm, MIGRATIONS).catch(explainRights(pending));
    return true;
  });
}

/** How many migrations this version has; `/readyz` compares. */
export function expectedMigrations(): number {
  return readMigrationFiles(MIGRATIONS).length;
}

/** How many of this version's migrations the database lacks. */
export async function pendingMigrations(orm: Executor): Promise<number> {
  const files = readMigrationFiles(MIGRATIONS);
  const { rows: tables } = await orm.execute(sql`
    select from pg_class where relname = '__drizzle_migrations'
       and relnamespace = (select oid from pg_namespace where nspname = 'drizzle')`);
  if (tables.length === 0) return files.length;
  const { rows } = await orm
    .execute<{ newest: string | null }>(
      sql`select max(created_at) as newest from drizzle.__drizzle_migrations`,
    )
    .catch(explainRights(files.length));
  const newest = Number(rows[0]?.newest ?? 0);
  return files.filter(({ folderMillis }) => folderMillis > newest).length;
}

const NOT_ALLOWED = '42501';

function explainRights(pending: number): (error: unknown) => never {
  return (error) => {
    if (sqlState(error) !== NOT_ALLOWED) throw error;
    throw new PendingMigrationsError(
      `The user in DATABASE_URL may not bring the schema up to date (${pending} migrations); run \`keyward migrate\` as the owner of the tables, then \`keyward grants ROLE --apply\` for this user.`,
    );
  };
}

async function requireVersion(orm: Executor) {
  const { rows } = await orm.execute<{ major: number; version: string }>(sql`
    select current_setting('server_version_num')::int / 10000 as major,
           current_setting('server_version') as version`);
  const server = rows[0];
  if (!server || server.major < OLDEST_VERSION) {
    throw new DatabaseVersionError(
      `The database is PostgreSQL ${server?.version}; Keyward needs ${OLDEST_VERSION} or newer.`,
    );
  }
}

async function requireWritable(orm: Executor) {
  const { rows } = await orm.execute<{ setting: string }>(
    sql`select current_setting('transaction_read_only') as setting`,
  );
  if (rows[0]?.setting === 'off') return;
  throw new ReadOnlyDatabaseError();
}
