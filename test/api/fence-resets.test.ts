import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { dropFutureRows, pruneFeed } from '../../src/verification/feed-pruning.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Engine, startEngine } from '../support/engine.ts';
import { insertKey } from '../support/sql-keys.ts';

let database: TestDatabase;
let engine: Engine;
let client: pg.Client;
let id: string;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
  const ref = randomBytes(8).toString('hex');
  id = `key_${ref}`;
  await insertKey(client, { id, ref });
  engine = await startEngine(database.url);
});
afterEach(() => engine.database.close());

const touch = `update keys set updated_at = now() where id = $1`;

async function named(): Promise<string[]> {
  await engine.fence.pass();
  return engine.feed.take();
}

async function feedRows(): Promise<number> {
  return (await client.query('select from change_feed')).rowCount ?? 0;
}

it('the first fence of an instance resets, and an uneventful one neither resets nor names', async () => {
  expect(engine.feed.resets).toBe(1);
  expect(await named()).toEqual([]);
  expect(engine.feed.resets).toBe(1);
});

describe('another run of Postgres', () => {
  it('is noticed by an empty incarnation, which gets a new identifier', async () => {
    const before = engine.fence.incarnation;
    await client.query('delete from incarnation');
    await named();
    expect(engine.feed.resets).toBe(2);
    expect(engine.fence.incarnation).not.toBe(before);
    await named();
    expect(engine.feed.resets).toBe(2);
  });

  it('gets one identifier, whoever of several instances finds it empty', async () => {
    const others = [await startEngine(database.url), await startEngine(database.url)];
    await client.query('delete from incarnation');
    await Promise.all([engine, ...others].map(({ fence }) => fence.pass()));
    await Promise.all([engine, ...others].map(({ fence }) => fence.pass()));
    const identifiers = [engine, ...others].map(({ fence }) => fence.incarnation);
    expect(new Set(identifiers).size).toBe(1);
    for (const { database: own } of others) await own.close();
  });
});

// A PgBouncer between hides it; there the incarnation alone tells of another run of Postgres.
describe.skipIf(inject('pgbouncer'))('the loss of a connection', () => {
  const backends = async (state: string) => {
    const { rows } = await client.query<{ pid: number }>(
      `select pid from pg_stat_activity
        where datname = current_database() and application_name = 'keyward' and state = $1`,
      [state],
    );
    return rows.map(({ pid }) => pid);
  };

  it('resets, also where it was idle', async () => {
    const [pid] = await backends('idle');
    await client.query('select pg_terminate_backend($1)', [pid]);
    await expect
      .poll(async () => {
        await engine.fence.pass();
        return engine.feed.resets;
      })
      .toBeGreaterThan(1);
  });

  it('resets, also where it belonged to the pool of management calls', async () => {
    await engine.database.orm.execute('select 1');
    const pids = await backends('idle');
    await client.query('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids]);
    await expect.poll(() => backends('idle')).toEqual([]);
    await engine.fence.pass().catch(() => undefined);
    await expect
      .poll(() =>
        engine.fence.pass().then(
          () => engine.feed.resets > 1,
          () => false,
        ),
      )
      .toBe(true);
  });

  it('during a fence resets at its return and again after', async () => {
    const fence = engine.database.hold('fence', 'after');
    const passing = engine.fence.pass();
    await fence.reached;
    const [pid] = await backends('idle');
    await client.query('select pg_terminate_backend($1)', [pid]);
    await expect.poll(() => backends('idle')).toEqual([]);
    fence.open();
    await passing;
    await engine.fence.pass().catch(() => undefined);
    await expect
      .poll(() =>
        engine.fence.pass().then(
          () => engine.feed.resets > 1,
          () => false,
        ),
      )
      .toBe(true);
  });
});

// The oldest transaction is the whole server's: one of another file can cause a further reset.
describe('pruning', { retry: 3 }, () => {
  it('loses no change of a transaction that commits after it', async () => {
    const late = await connect(database.url);
    await late.query('begin');
    await late.query(touch, [id]);
    for (let i = 0; i < 3; i++) {
      await pruneFeed(engine.database.orm, 0);
      expect(await named()).toEqual([]);
    }
    await late.query('commit');
    expect(await named()).toEqual([`key ${id}`]);
    expect(engine.feed.resets).toBe(1);
  });

  it('right after a late commit resets who has not seen it', async () => {
    const late = await connect(database.url);
    await late.query('begin');
    await late.query(touch, [id]);
    await pruneFeed(engine.database.orm, 0);
    await named();
    await late.query('commit');
    await pruneFeed(engine.database.orm, 0);
    expect(await named()).toEqual([]);
    expect(engine.feed.resets).toBe(2);
  });

  it('of what an instance has not seen resets that instance', async () => {
    await client.query(touch, [id]);
    await pruneFeed(engine.database.orm, 0);
    expect(await feedRows()).toBe(0);
    expect(await named()).toEqual([]);
    expect(engine.feed.resets).toBe(2);
    expect(await named()).toEqual([]);
    expect(engine.feed.resets).toBe(2);
  });

  it('drops nothing that is younger than it keeps, and a rollback of it drops nothing', async () => {
    await client.query(touch, [id]);
    const rows = await feedRows();
    await pruneFeed(engine.database.orm, 10);
    expect(await feedRows()).toBe(rows);
    await client.query(`begin; delete from change_feed; update feed_pruned set below = '1000000'`);
    await client.query('rollback');
    expect(await named()).toEqual([`key ${id}`]);
    expect(engine.feed.resets).toBe(1);
  });

  it('is left to one instance where several try at once', async () => {
    const other = await startEngine(database.url);
    await Promise.all([pruneFeed(engine.database.orm, 0), pruneFeed(other.database.orm, 0)]);
    await other.database.close();
    await named();
    await client.query(touch, [id]);
    expect(await named()).toEqual([`key ${id}`]);
  });
});

describe('a restored or copied database', () => {
  const FUTURE = `(pg_current_xact_id()::text::bigint + 1000000)::text::xid8`;

  it('loses the rows of its future at the start, and no others', async () => {
    await client.query(`insert into change_feed (txid, kind, id) values (${FUTURE}, 'key', 'x')`);
    await client.query(`insert into feed_horizons (oldest) values (${FUTURE})`);
    await client.query(touch, [id]);
    const rows = await feedRows();
    await dropFutureRows(engine.database.orm);
    expect(await feedRows()).toBe(rows - 1);
    expect(await named()).toEqual([`key ${id}`]);
    await pruneFeed(engine.database.orm, 0);
    await named();
    const { resets } = engine.feed;
    await named();
    expect(engine.feed.resets).toBe(resets);
  });

  it('with a horizon of its future does not reset for ever', async () => {
    await client.query(`update feed_pruned set below = ${FUTURE}`);
    await named();
    expect(engine.feed.resets).toBe(2);
    await named();
    expect(engine.feed.resets).toBe(3);
    await dropFutureRows(engine.database.orm);
    await named();
    expect(engine.feed.resets).toBe(3);
  });
});
