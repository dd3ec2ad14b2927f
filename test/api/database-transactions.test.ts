import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { databaseSettings } from '../support/instance.ts';

let server: TestDatabase;
let database: Database;

beforeAll(async () => {
  server = await createTestDatabase();
  const { databaseUrl, preparedStatements } = databaseSettings(server.url);
  database = new Database({ url: databaseUrl, poolSize: 2, preparedStatements });
});
afterAll(async () => {
  await database.close();
  await server.drop();
});

const KIND = sql`select current_setting('transaction_isolation') as isolation,
                        current_setting('transaction_read_only') as read_only`;

it('a transaction is as isolated and as read-only as it asks to be, on both pools', async () => {
  for (const orm of [database.orm, database.dataOrm]) {
    const snapshot = await orm.transaction(async (tx) => (await tx.execute(KIND)).rows, {
      isolationLevel: 'repeatable read',
      accessMode: 'read only',
    });
    expect(snapshot).toEqual([{ isolation: 'repeatable read', read_only: 'on' }]);
    const plain = await orm.transaction(async (tx) => (await tx.execute(KIND)).rows);
    expect(plain).toEqual([{ isolation: 'read committed', read_only: 'off' }]);
  }
});

it('a transaction that fails takes back what it wrote, and its connection is used again', async () => {
  const pids: unknown[] = [];
  const failed = database.orm.transaction(async (tx) => {
    await tx.execute(sql`update workspaces set name = 'changed' where id = 'default'`);
    pids.push((await tx.execute(sql`select pg_backend_pid() as pid`)).rows[0]?.pid);
    throw new Error('planned');
  });
  await expect(failed).rejects.toThrow('planned');
  const { rows } = await database.orm.execute(
    sql`select name, pg_backend_pid() as pid from workspaces where id = 'default'`,
  );
  expect(rows).toEqual([{ name: null, pid: pids[0] }]);
});
