import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { migrate } from '../../src/db/migrate.ts';
import { whenReady } from '../../src/db/wait.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createService } from '../../src/service.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';

const log = createLogger('silent');
const never = new AbortController().signal;
const READ_ONLY = /^The database in DATABASE_URL is read-only, such as a replica; .*primary\.$/;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  const { rows } = await sql.query('select current_database() as name');
  await sql.query(`alter database "${rows[0].name}" set default_transaction_read_only = on`);
  await sql.end();
});
afterAll(() => database.drop());

it('a database that stays a replica for the whole wait is refused in one sentence', async () => {
  const start = whenReady(() => migrate(database.url), log, never, 0);
  await expect(start).rejects.toThrow(READ_ONLY);
});

it('a database that becomes a replica after its migrations is waited for and refused likewise, and no connection stays', async () => {
  const config = readConfig({ DATABASE_URL: database.url });
  let attempts = 0;
  const build = () => {
    attempts++;
    return createService({ config, databaseUrl: database.url, log, writeLine: async () => {} });
  };
  await expect(whenReady(build, log, never, 1000)).rejects.toThrow(READ_ONLY);
  expect(attempts).toBeGreaterThan(1);
  const sql = await connect(database.url);
  const open = `select from pg_stat_activity
                 where datname = current_database() and application_name = 'keyward'`;
  await expect.poll(async () => (await sql.query(open)).rowCount).toBe(0);
});

it('a stop ends the wait for a database at once, with its reason', async () => {
  const stop = new AbortController();
  const reason = new Error('stopped by the test');
  const waiting = whenReady(() => migrate(database.url), log, stop.signal, 600_000);
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
