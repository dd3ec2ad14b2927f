import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Answer, type Instance, launch } from '../support/instance.ts';

const ATTEMPTS = 3;

let database: TestDatabase;
let instance: Instance;
let losses = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
  instance.service.internals.database.onConnectionLoss(() => losses++);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

interface Outcome {
  answer: Answer;
  attempts: number;
  losses: number;
}

/** A change during which Postgres raises this SQLSTATE the first few times. */
async function changeThatMeets(sqlState: string, times = Number.MAX_SAFE_INTEGER) {
  const sql = await connect(database.url);
  await sql.query(`
    create sequence attempts;
    create function fail() returns trigger language plpgsql as $$ begin
      if nextval('attempts') <= ${times} then raise 'planted' using errcode = '${sqlState}'; end if;
      return new;
    end $$;
    create trigger fail before insert on workspaces for each row execute function fail()`);
  const before = losses;
  const answer = await instance.call('PUT', `/v1/workspaces/of-${sqlState}`, { body: {} });
  const { rows } = await sql.query<{ made: number }>(
    `select last_value::int as made from attempts`,
  );
  await sql.query('drop function fail cascade; drop sequence attempts');
  const outcome: Outcome = { answer, attempts: rows[0]?.made ?? 0, losses: losses - before };
  return outcome;
}

describe('errors of the database', () => {
  it.each([
    ['08000', 'connection exception'],
    ['08006', 'connection failure'],
    ['53000', 'insufficient resources'],
    ['53100', 'disk full'],
    ['53300', 'too many connections'],
    ['57P01', 'admin shutdown'],
    ['57P02', 'crash shutdown'],
    ['57P03', 'cannot connect now'],
    ['58000', 'system error'],
    ['58030', 'input or output error'],
    ['XX000', 'internal error'],
    ['XX001', 'data corrupted'],
  ])(
    'a change that meets %s (%s) is answered 503 with Retry-After after one attempt',
    async (sqlState) => {
      const { answer, attempts } = await changeThatMeets(sqlState);
      expect(answer.status).toBe(503);
      expect(answer.body.code).toBe('UNAVAILABLE');
      expect(answer.headers['retry-after']).toBe('1');
      expect(attempts).toBe(1);
    },
  );

  it.each([
    ['57014', 'statement timeout'],
    ['55P03', 'lock timeout'],
  ])(
    'a change that meets %s (%s) is answered 503 TIMED_OUT after one attempt, and the connection is kept',
    async (sqlState) => {
      const { answer, attempts, losses } = await changeThatMeets(sqlState);
      expect(answer.status).toBe(503);
      expect(answer.body.code).toBe('TIMED_OUT');
      expect(answer.headers['retry-after']).toBe('1');
      expect(attempts).toBe(1);
      expect(losses).toBe(0);
    },
  );

  it.each([
    ['40001', 'serialization failure'],
    ['40P01', 'deadlock'],
  ])(
    'a change that meets %s (%s) twice is tried again and made, on connections that are kept',
    async (sqlState) => {
      const { answer, attempts, losses } = await changeThatMeets(sqlState, ATTEMPTS - 1);
      expect(answer.status).toBe(201);
      expect(attempts).toBe(ATTEMPTS);
      expect(losses).toBe(0);
    },
  );

  it.each([
    ['40001', 'serialization failure'],
    ['40P01', 'deadlock'],
  ])(
    'a change that meets %s (%s) three times is answered 503, and the connection is kept',
    async (sqlState) => {
      const { answer, attempts, losses } = await changeThatMeets(sqlState);
      expect(answer.status).toBe(503);
      expect(answer.body.code).toBe('UNAVAILABLE');
      expect(attempts).toBe(ATTEMPTS);
      expect(losses).toBe(0);
    },
  );

  it.each([
    ['0A000', 'feature not supported'],
    ['0L000', 'invalid grantor'],
    ['21000', 'cardinality violation'],
    ['22001', 'string too long'],
    ['22P02', 'invalid text'],
    ['23503', 'foreign key violation'],
    ['23505', 'unique violation'],
    ['23514', 'check violation'],
    ['24000', 'invalid cursor state'],
    ['26000', 'invalid statement name'],
    ['28000', 'invalid authorization'],
    ['2BP01', 'dependent objects'],
    ['34000', 'invalid cursor name'],
    ['3D000', 'invalid database name'],
    ['3F000', 'invalid schema name'],
    ['40002', 'transaction integrity violation'],
    ['42501', 'insufficient privilege'],
    ['42601', 'syntax error'],
    ['42P01', 'undefined table'],
    ['44000', 'check option violation'],
    ['54000', 'program limit exceeded'],
    ['55000', 'object not in prerequisite state'],
    ['F0000', 'configuration file error'],
    ['HV000', 'foreign data wrapper error'],
    ['P0001', 'raised exception'],
  ])(
    'a change that meets %s (%s) is answered 500 after one attempt, and the connection is kept',
    async (sqlState) => {
      const { answer, attempts, losses } = await changeThatMeets(sqlState);
      expect(answer.status).toBe(500);
      expect(answer.body.code).toBe('INTERNAL');
      expect(answer.headers['retry-after']).toBeUndefined();
      expect(attempts).toBe(1);
      expect(losses).toBe(0);
    },
  );
});
