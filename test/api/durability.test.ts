import { sql } from 'drizzle-orm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect, createTestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { createFixture, MUTATING_CALLS } from '../support/mutating-calls.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

/** Notes how durable the transaction of each change and of each spending is. */
const WITNESS = `
  create table witness (what text, durability text, statement_timeout text);
  create function notice() returns trigger language plpgsql as $$
  begin
    insert into witness values (tg_table_name, current_setting('synchronous_commit'),
                                current_setting('statement_timeout'));
    return null;
  end $$;
  create trigger notice after insert on audit_events
    for each statement execute function notice();
  create trigger notice after update on key_consumption
    for each row execute function notice()`;

interface Noticed {
  what: string;
  durability: string;
  statement_timeout: string;
}

/** An instance on a database whose transactions are by default as durable as this. */
async function launchWhereDefaultIs(level: string) {
  const database = await createTestDatabase();
  const client = await connect(database.url);
  await client.query(WITNESS);
  await client.query(`
    do $$ begin
      execute format('alter database %I set synchronous_commit to ${level}', current_database());
    end $$`);
  const instance = await launch(database.url);
  onTestFinished(async () => {
    await instance.stop();
    await database.drop();
  });
  const noticed = async () => (await client.query<Noticed>('select * from witness')).rows;
  const forget = () => client.query('truncate witness');
  return { instance, noticed, forget };
}

const durabilities = (noticed: readonly Noticed[]) => [
  ...new Set(noticed.map(({ durability }) => durability)),
];

/** A key with credits, of which one is spent. */
async function spendOnce(instance: Instance): Promise<string> {
  const { id, key } = await createKey(instance, { credits: { remaining: 5 } });
  expect(await verdict(instance, key)).toBe('VALID');
  const { body } = await instance.call('GET', `/v1/keys/${id}`);
  expect(body.credits.remaining).toBe(4);
  return id;
}

describe('with another default of the server', () => {
  it.each([
    ['off', 'on'],
    ['local', 'on'],
    ['remote_write', 'on'],
    ['on', 'on'],
    ['remote_apply', 'remote_apply'],
  ])(
    'where synchronous_commit is %s changes and spendings commit with %s',
    async (level, expected) => {
      const { instance, noticed, forget } = await launchWhereDefaultIs(level);
      const id = await spendOnce(instance);
      // Its balance is set by a change, and then spent from.
      const tables = (await noticed()).map(({ what }) => what);
      expect(tables).toEqual(['key_consumption', 'audit_events', 'key_consumption']);
      expect(durabilities(await noticed())).toEqual([expected]);
      await forget();
      expect((await instance.call('POST', `/v1/keys/${id}/revoke`)).status).toBe(200);
      expect(durabilities(await noticed())).toEqual([expected]);
    },
  );

  it('where synchronous_commit is off every call that changes something commits with on, and waits for no statement longer than 10 s', async () => {
    const { instance, noticed, forget } = await launchWhereDefaultIs('off');
    for (const [operation, prepare] of Object.entries(MUTATING_CALLS)) {
      const { method, url, body, ownKey } = await prepare(await createFixture(instance, operation));
      await forget();
      const options = { ...(body && { body }), ...(ownKey && { as: ownKey.key }) };
      expect((await instance.call(method, url, options)).status).toBeLessThan(300);
      const audited = (await noticed()).filter(({ what }) => what === 'audit_events');
      const expected = { durability: 'on', statement_timeout: '10s' };
      expect({ operation, audited }).toMatchObject({ operation, audited: [expected] });
    }
  });

  it('what a change sets for its transaction ends with it, as connections are shared', async () => {
    const { instance } = await launchWhereDefaultIs('off');
    await spendOnce(instance);
    const { orm, dataOrm } = instance.service.internals.database;
    for (const pool of [orm, dataOrm]) {
      const { rows } = await pool.execute(sql`
        select current_setting('synchronous_commit') as durability,
               current_setting('statement_timeout') as timeout`);
      expect(rows).toEqual([{ durability: 'off', timeout: '0' }]);
    }
  });
});
