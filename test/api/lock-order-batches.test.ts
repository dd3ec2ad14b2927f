import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { unlockedRows, untilWaiting } from '../support/row-locks.ts';

let database: TestDatabase;
let observer: pg.Client;
let holder: pg.Client;
let batch: pg.Client;

beforeEach(async () => {
  database = await createTestDatabase();
  observer = await connect(database.url);
  holder = await connect(database.url);
  batch = await connect(database.url);
});
afterEach(() => database.drop());

interface Row {
  table: string;
  column: string;
  name: string;
}

/** Runs a batch that has to wait for a row, and looks around meanwhile. */
async function whileHeld<Result>(
  { table, column, name }: Row,
  send: () => Promise<Result>,
  look: () => Promise<void>,
): Promise<Result> {
  await holder.query('begin');
  await holder.query(`select from ${table} where ${column} = $1 for update`, [name]);
  const sent = send();
  await untilWaiting(observer);
  await look();
  await holder.query('rollback');
  return sent;
}

it('a batch of counters locks its tables in one order and the rows of each in the order of their names', async () => {
  const tables = [
    ['usage_unmatched', 'workspace_id'],
    ['secret_usage', 'secret_ref'],
    ['key_usage', 'key_id'],
    ['usage_hourly', 'key_id'],
  ] as const;
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const counts = ['e', 'c', 'f', 'a', 'd', 'b'].map((name) => ({
    ...{ workspace: name, key: name, ref: name },
    ...{ hour: 0, code: 'VALID' },
  }));
  const write = batchOf(counts);
  await write(1);
  for (const [place, [table, column]] of tables.entries()) {
    await whileHeld(
      { table, column, name: 'c' },
      () => write(place + 2),
      async () => {
        for (const [other, [otherTable, otherColumn]] of tables.entries()) {
          const after = other < place ? [] : other > place ? names : ['d', 'e', 'f'];
          const unlocked = await unlockedRows(observer, otherTable, otherColumn);
          expect({ table, otherTable, unlocked }).toEqual({ table, otherTable, unlocked: after });
        }
      },
    );
  }
  const { rows } = await observer.query('select distinct total::int from key_usage');
  expect(rows).toEqual([{ total: 1 + tables.length }]);
});

it('a batch of counters locks the rows of one key by hour, then by secret, then by verdict', async () => {
  const column = `concat_ws(' ', extract(epoch from hour)::int, secret_ref, code)`;
  const counts = [
    { hour: 1, ref: 'x', code: 'EXPIRED' },
    { hour: 0, ref: 'y', code: 'VALID' },
    { hour: 1, ref: 'x', code: 'DISABLED' },
    { hour: 0, ref: 'y', code: 'DISABLED' },
    { hour: 0, ref: 'x', code: 'VALID' },
  ].map((count) => ({ ...count, workspace: count.ref + count.code, key: 'one' }));
  const rows = ['0 x VALID', '0 y DISABLED', '0 y VALID', '3600 x DISABLED', '3600 x EXPIRED'];
  const write = batchOf(counts);
  await write(1);
  for (const [index, name] of rows.entries()) {
    await whileHeld(
      { table: 'usage_hourly', column, name },
      () => write(index + 2),
      async () =>
        expect(await unlockedRows(observer, 'usage_hourly', column)).toEqual(rows.slice(index + 1)),
    );
  }
});

interface Count {
  /** Of a verification that matched no key. */
  workspace: string;
  key: string;
  ref: string;
  code: string;
  /** Hours since 1970. */
  hour: number;
}

/** Writes one verification of each, and one that matched no key. */
function batchOf(counts: readonly Count[]) {
  const instance = randomUUID();
  const ones = counts.map(() => 1);
  const hours = counts.map(({ hour }) => hour * 3_600_000);
  const texts = (name: 'workspace' | 'key' | 'ref' | 'code') => counts.map((count) => count[name]);
  return (sequence: number) =>
    batch.query('select write_usage($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)', [
      ...[instance, 'usage', sequence],
      ...[texts('key'), texts('ref'), texts('code'), hours, ones, ones],
      ...[texts('workspace'), hours, ones],
    ]);
}
