import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { insertKey } from '../support/sql-keys.ts';

let database: TestDatabase;
let fixture: CacheFixture;
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
  fixture = await startCacheFixture(database.url);
});
afterEach(() => fixture.database.close());

async function named(): Promise<string[]> {
  await fixture.fence.waitUntilFresh();
  return fixture.feed.take();
}

it('the first fence of an instance resets, and an uneventful one neither resets nor reports anything', async () => {
  expect(fixture.feed.resets).toBe(1);
  expect(await named()).toEqual([]);
  expect(fixture.feed.resets).toBe(1);
});

describe('another run of Postgres', () => {
  it('another run of Postgres is noticed by its empty incarnation table, which gets a new identifier', async () => {
    const before = fixture.fence.incarnation;
    await client.query('delete from incarnation');
    await named();
    expect(fixture.feed.resets).toBe(2);
    expect(fixture.fence.incarnation).not.toBe(before);
    await named();
    expect(fixture.feed.resets).toBe(2);
  });

  it('an empty incarnation table gets one identifier, even if several instances find it empty', async () => {
    const others = [await startCacheFixture(database.url), await startCacheFixture(database.url)];
    await client.query('delete from incarnation');
    await Promise.all([fixture, ...others].map(({ fence }) => fence.waitUntilFresh()));
    await Promise.all([fixture, ...others].map(({ fence }) => fence.waitUntilFresh()));
    const identifiers = [fixture, ...others].map(({ fence }) => fence.incarnation);
    expect(new Set(identifiers).size).toBe(1);
    for (const { database: own } of others) await own.close();
  });
});

// A PgBouncer hides the loss; then only the incarnation shows another run of Postgres.
describe.skipIf(inject('pgbouncer'))('the loss of a connection', () => {
  const backends = async (state: string) => {
    const { rows } = await client.query<{ pid: number }>(
      `select pid from pg_stat_activity
        where datname = current_database() and application_name = 'keyward' and state = $1`,
      [state],
    );
    return rows.map(({ pid }) => pid);
  };

  it('the loss of an idle connection resets the cache', async () => {
    const [pid] = await backends('idle');
    await client.query('select pg_terminate_backend($1)', [pid]);
    await expect
      .poll(async () => {
        await fixture.fence.waitUntilFresh();
        return fixture.feed.resets;
      })
      .toBeGreaterThan(1);
  });

  it('the loss of a connection of the management pool resets the cache', async () => {
    await fixture.database.orm.execute('select 1');
    const pids = await backends('idle');
    await client.query('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids]);
    await expect.poll(() => backends('idle')).toEqual([]);
    await fixture.fence.waitUntilFresh().catch(() => undefined);
    await expect
      .poll(() =>
        fixture.fence.waitUntilFresh().then(
          () => fixture.feed.resets > 1,
          () => false,
        ),
      )
      .toBe(true);
  });

  it('the loss of a connection during a fence resets the cache when the fence returns, and again after', async () => {
    const fence = fixture.database.hold('fence', 'after');
    const passing = fixture.fence.waitUntilFresh();
    await fence.reached;
    const [pid] = await backends('idle');
    await client.query('select pg_terminate_backend($1)', [pid]);
    await expect.poll(() => backends('idle')).toEqual([]);
    fence.open();
    // Either fails if its second statement meets the connection before its end was noticed.
    await passing.catch(() => undefined);
    await fixture.fence.waitUntilFresh().catch(() => undefined);
    await expect
      .poll(() =>
        fixture.fence.waitUntilFresh().then(
          () => fixture.feed.resets > 1,
          () => false,
        ),
      )
      .toBe(true);
  });
});
