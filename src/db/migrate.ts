import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as runMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';

const MIGRATIONS = {
  migrationsFolder: fileURLToPath(new URL('../../migrations', import.meta.url)),
};
const LOCK = 5_396_119;
const OLDEST_VERSION = 14;

export class DatabaseVersionError extends Error {
  override name = 'DatabaseVersionError';
}

/**
 * Brings the schema up to date. Instances that start together take turns: one transaction holds
 * the advisory lock (so that it also works behind a transaction pooler), another migrates.
 */
export async function migrate(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 2, connectionTimeoutMillis: 5000 });
  pool.on('error', () => {});
  try {
    const orm = drizzle(pool);
    await orm.transaction(async (lock) => {
      await requireVersion(lock);
      await lock.execute(sql`select pg_advisory_xact_lock(${LOCK})`);
      await runMigrations(orm, MIGRATIONS);
    });
  } finally {
    await pool.end();
  }
}

/** How many migrations this version brings; `/readyz` compares. */
export function expectedMigrations(): number {
  return readMigrationFiles(MIGRATIONS).length;
}

async function requireVersion(orm: { execute: ReturnType<typeof drizzle>['execute'] }) {
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
