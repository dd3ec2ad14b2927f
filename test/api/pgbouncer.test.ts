import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { expectedMigrations, migrate } from '../../src/db/migrate.ts';
import { connect, createTestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { startPgBouncer, throughPgBouncer } from '../support/pgbouncer.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const POOL = 2;

/** The URL of the server of this run through a PgBouncer with few connections. */
async function openNarrowWay(databaseUrl: string): Promise<string> {
  const { pgbouncer, stop } = await startPgBouncer(inject('postgresUrl'), POOL);
  onTestFinished(stop);
  const url = throughPgBouncer(databaseUrl, pgbouncer);
  if (!url) throw new Error('the database is on the server of this run');
  return url;
}

describe.runIf(inject('pgbouncer'))('behind a PgBouncer with two connections', () => {
  it('instances that start together behind a PgBouncer migrate a new database, once', async () => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    const sql = await connect(database.url);
    await sql.query('drop schema drizzle cascade; drop schema public cascade');
    await sql.query('create schema public');
    const url = await openNarrowWay(database.url);
    await Promise.all(Array.from({ length: 6 }, () => migrate(url)));
    const { rows } = await sql.query(
      'select count(*)::int as migrations from drizzle.__drizzle_migrations',
    );
    expect(rows).toEqual([{ migrations: expectedMigrations() }]);
  });

  it('two instances with sixteen connections each answer all of many calls at once behind a PgBouncer', async () => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    const url = await openNarrowWay(database.url);
    const settings = { preparedStatements: false };
    const instances = [await launch(url, settings), await launch(url, settings)];
    onTestFinished(() => stopAll(instances));
    const sql = await connect(database.url);
    const created = await Promise.all(
      Array.from({ length: 30 }, (_, index) => createKey(instances[index % 2] ?? never())),
    );
    const verdicts = created.flatMap(({ key }) => instances.map((each) => verdict(each, key)));
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set(['VALID']));
    const { rows } = await sql.query(
      `select count(*)::int as backends from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`,
    );
    expect(rows).toEqual([{ backends: POOL }]);
  });
});

async function stopAll(instances: readonly Instance[]): Promise<void> {
  for (const instance of instances) await instance.stop();
}

function never(): never {
  throw new Error('both instances are there');
}
