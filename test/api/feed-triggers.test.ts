import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { usePair } from '../support/pair.ts';

/** More rows of one statement than the feed names one by one. */
const MANY = 1001;

/** A table that memory is loaded from: how its rows differ, and what the feed says of one. */
interface Table {
  name: string;
  kind: string;
  id: string;
  /** What a copy of a row, named by the expression, has of its own. */
  copy: (name: string) => string;
  /** What many rows of the workspace `default` are in the feed. */
  many: string[];
  /** Feed tables that a TRUNCATE takes along, itself included. */
  truncated: number;
}

const owned = (name: string) => `'id', ${name}, 'workspace_id', 'default'`;
const TABLES: Table[] = [
  { name: 'keys', kind: 'key', id: 'id', copy: owned, many: ['workspace default'], truncated: 1 },
  {
    name: 'management_keys',
    kind: 'key',
    id: 'id',
    copy: owned,
    many: ['workspace default'],
    truncated: 1,
  },
  {
    name: 'secrets',
    kind: 'secret',
    id: 'ref',
    copy: (name) => `'ref', ${name}, 'key_id', ${name}, ${owned(name)}`,
    many: ['workspace default'],
    truncated: 1,
  },
  {
    name: 'workspaces',
    kind: 'workspace',
    id: 'id',
    copy: (name) => `'id', ${name}`,
    many: Array.from({ length: MANY }, (_, n) => `workspace copy-${n + 1}`).sort(),
    truncated: 3,
  },
  {
    name: 'imported_algorithms',
    kind: 'everything',
    id: 'algorithm',
    copy: (name) => `'algorithm', ${name}`,
    many: Array.from({ length: MANY }, (_, n) => `workspace copy-${n + 1}`).sort(),
    truncated: 1,
  },
];

const CASES = TABLES.flatMap((table) => ['origin', 'replica'].map((role) => ({ ...table, role })));

describe('the feed of changes', () => {
  const pair = usePair();
  let client: pg.Client;

  beforeAll(async () => {
    await pair.first.call('POST', '/v1/keys', { body: { name: 'one' } });
    const service = { name: 'service', permissions: ['keys:read'] };
    await pair.first.call('POST', '/v1/management-keys', { body: service });
    const hash = { algorithm: 'sha256', value: '0'.repeat(64) };
    await pair.first.call('POST', '/v1/keys/import', { body: { keys: [{ name: 'two', hash }] } });
  });
  beforeEach(async () => {
    client = await connect(pair.databaseUrl);
    await client.query('begin');
  });
  afterEach(() => client.query('rollback'));

  /** What the statement puts into the feed. */
  async function fedBy(statement: string): Promise<string[]> {
    await client.query('delete from change_feed');
    await client.query(statement);
    const { rows } = await client.query('select kind, id from change_feed');
    return rows.map(({ kind, id }) => `${kind} ${id}`.trim()).sort();
  }

  const insert = ({ name, copy }: Table, rows: number) => `
    insert into ${name}
    select (jsonb_populate_record(null::${name}, to_jsonb(t) || jsonb_build_object(${copy(`'copy-' || n`)}))).*
      from (select * from ${name} limit 1) t, generate_series(1, ${rows}) n`;

  it.for(CASES)(
    'the feed names each row that INSERT, UPDATE and DELETE change in $name, in the role $role',
    async (table) => {
      await client.query(`set local session_replication_role = ${table.role}`);
      const row = `where ${table.id} = 'copy-1'`;
      const named = [`${table.kind} copy-1`];
      expect(await fedBy(insert(table, 1))).toEqual(named);
      expect(await fedBy(`update ${table.name} set ${table.id} = ${table.id} ${row}`)).toEqual(
        named,
      );
      expect(await fedBy(`delete from ${table.name} ${row}`)).toEqual(named);
    },
  );

  it.for(CASES)(
    'the feed names everything when $name is truncated, in the role $role',
    async (table) => {
      await client.query(`set local session_replication_role = ${table.role}`);
      const named = Array(table.truncated).fill('everything');
      expect(await fedBy(`truncate ${table.name} cascade`)).toEqual(named);
    },
  );

  it.for(TABLES)(
    'the feed names the workspaces alone of more than a thousand rows of $name',
    async (table) => {
      expect(await fedBy(insert(table, MANY))).toEqual(table.many);
    },
  );
});
