import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { Database, type TextStatement } from '../../src/db/database.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { databaseSettings } from '../support/instance.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});

function textStatement(text: string): TextStatement<{ columns: (string | null)[] }> {
  return { name: 'text', text, read: (columns) => ({ columns: [...columns] }) };
}

interface Rows {
  columns: (string | null)[];
}

// Behind a PgBouncer nothing is prepared, whatever is asked for here.
const kinds = inject('pgbouncer') ? [false] : [true, false];

describe.for(kinds)('a text statement, prepared: %s', (preparedStatements) => {
  const how = preparedStatements ? 'prepared' : 'not prepared';
  let own: Database;
  let losses = 0;

  beforeEach(() => {
    losses = 0;
    const { databaseUrl } = databaseSettings(database.url);
    own = new Database({ url: databaseUrl, poolSize: 2, preparedStatements });
    own.onConnectionLoss(() => losses++);
    return () => own.close();
  });
  const ask = (text: string): Promise<Rows[]> => own.query(textStatement(text), []);

  it(`a text statement that is ${how} returns all rows as Postgres writes them, again and again`, async () => {
    const text = `select n, null, n = 1, '{"é": 1}'::jsonb, now() from generate_series(1, 3) n`;
    for (let i = 0; i < 3; i++) {
      const rows = await ask(text);
      expect(rows.map(({ columns }) => columns.slice(0, 4))).toEqual([
        ['1', null, 't', '{"é": 1}'],
        ['2', null, 'f', '{"é": 1}'],
        ['3', null, 'f', '{"é": 1}'],
      ]);
    }
  });

  it(`a text statement that is ${how} and refused by Postgres rejects with its code, and keeps its connection`, async () => {
    const sql = await connect(database.url);
    await sql.query('create sequence if not exists turns; alter sequence turns restart');
    const text = `select 1 / (nextval('turns') - 1)`;
    await expect(ask(text)).rejects.toMatchObject({ code: '22012' });
    expect(await ask(text)).toEqual([{ columns: ['1'] }]);
    expect(losses).toBe(0);
  });

  it(`a text statement that is ${how} and cannot be parsed rejects, and so does the next one, without a loss`, async () => {
    for (let i = 0; i < 2; i++) {
      await expect(ask('select from no_such_table')).rejects.toMatchObject({ code: '42P01' });
    }
    expect(losses).toBe(0);
  });

  it(`a text statement that is ${how} rejects when its connection is lost, which is reported, and the next one works`, async () => {
    const sql = await connect(database.url);
    const sleeping = ask('select pg_sleep(21)').catch((error: unknown) => error);
    const end = `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query like '%pg_sleep(21)'`;
    await expect.poll(async () => (await sql.query(end)).rowCount).toBe(1);
    expect(await sleeping).toMatchObject({ code: '57P01' });
    await expect.poll(() => losses).toBeGreaterThan(0);
    expect(await ask('select 1')).toEqual([{ columns: ['1'] }]);
  });

  it(`a text statement that is ${how} and is not answered in time rejects, and its connection is closed`, async () => {
    await expect(ask('select pg_sleep(20)')).rejects.toThrow('Query read timeout');
    await expect.poll(() => losses).toBeGreaterThan(0);
    expect(await ask('select 1')).toEqual([{ columns: ['1'] }]);
  });
});
