import { afterAll, beforeAll, expect, it } from 'vitest';
import { runInProcess } from '../support/command.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it('a database that offers no TLS, though DATABASE_URL asks for it, is refused in one sentence', async () => {
  const url = new URL(database.url);
  url.searchParams.set('sslmode', 'verify-full');
  for (const command of [['migrate'], ['audit', 'verify']]) {
    const { code, stderr } = await runInProcess(command, { DATABASE_URL: url.href });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^keyward: DATABASE_URL asks for TLS \(sslmode\), which .*\n$/);
  }
});

it('a database that is read-only, such as a replica, is refused in one sentence', async () => {
  const sql = await connect(database.url);
  const { rows } = await sql.query('select current_database() as name');
  await sql.query(`alter database "${rows[0].name}" set default_transaction_read_only = on`);
  const { code, stderr } = await runInProcess(['migrate'], { DATABASE_URL: database.url });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^keyward: The database in DATABASE_URL is read-only, .*\n$/);
});
