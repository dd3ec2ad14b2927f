import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deleteFutureRows, pruneFeed } from '../../src/freshness/feed-pruning.ts';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { connect } from '../support/database.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../support/private-postgres.ts';
import { insertKey } from '../support/sql-keys.ts';

let server: PrivatePostgres;
let fixture: CacheFixture;
let client: pg.Client;
let id: string;

// Each test has its own server, whose oldest transaction must not belong to another test.
beforeEach(async () => {
  server = await startPrivatePostgres({ autovacuum: 'off' });
  client = await connect(server.url);
  const ref = randomBytes(8).toString('hex');
  id = `key_${ref}`;
  await insertKey(client, { id, ref });
  fixture = await startCacheFixture(server.url);
});
afterEach(() => fixture.database.close());

const touch = `update keys set updated_at = now() where id = $1`;

async function named(): Promise<string[]> {
  await fixture.fence.waitUntilFresh();
  return fixture.feed.take();
}

async function feedRows(): Promise<number> {
  return (await client.query('select from change_feed')).rowCount ?? 0;
}

describe('pruning', () => {
  it('pruning goes on beside a fold of counters, however long that is at work', async () => {
    const folding = await connect(server.url);
    await folding.query('begin');
    await folding.query('select fold_usage_log(0, 1, false)');
    await client.query(touch, [id]);
    await pruneFeed(fixture.database.orm, 0);
    expect(await feedRows()).toBe(0);
    await folding.query('rollback');
  });

  it('pruning loses no change of a transaction that commits after it', async () => {
    const late = await connect(server.url);
    await late.query('begin');
    await late.query(touch, [id]);
    for (let i = 0; i < 3; i++) {
      await pruneFeed(fixture.database.orm, 0);
      expect(await named()).toEqual([]);
    }
    await late.query('commit');
    expect(await named()).toEqual([`key ${id}`]);
    expect(fixture.feed.resets).toBe(1);
  });

  it('pruning right after a late commit resets an instance that has not seen that commit', async () => {
    const late = await connect(server.url);
    await late.query('begin');
    await late.query(touch, [id]);
    await pruneFeed(fixture.database.orm, 0);
    await named();
    await late.query('commit');
    await pruneFeed(fixture.database.orm, 0);
    expect(await named()).toEqual([]);
    expect(fixture.feed.resets).toBe(2);
  });

  it('pruning what an instance has not seen resets that instance', async () => {
    await client.query(touch, [id]);
    await pruneFeed(fixture.database.orm, 0);
    expect(await feedRows()).toBe(0);
    expect(await named()).toEqual([]);
    expect(fixture.feed.resets).toBe(2);
    expect(await named()).toEqual([]);
    expect(fixture.feed.resets).toBe(2);
  });

  it('pruning deletes nothing younger than the retention, and nothing if it is rolled back', async () => {
    await client.query(touch, [id]);
    const rows = await feedRows();
    await pruneFeed(fixture.database.orm, 10);
    expect(await feedRows()).toBe(rows);
    await client.query(`begin; delete from change_feed; update feed_pruned set below = '1000000'`);
    await client.query('rollback');
    expect(await named()).toEqual([`key ${id}`]);
    expect(fixture.feed.resets).toBe(1);
  });

  it('pruning is done by one instance if several try at once', async () => {
    const other = await startCacheFixture(server.url);
    await Promise.all([pruneFeed(fixture.database.orm, 0), pruneFeed(other.database.orm, 0)]);
    await other.database.close();
    await named();
    await client.query(touch, [id]);
    expect(await named()).toEqual([`key ${id}`]);
  });
});

describe('a restored or copied database', () => {
  const FUTURE = `(pg_current_xact_id()::text::bigint + 1000000)::text::xid8`;

  it('a restored database loses the feed rows of its future at the start, and no others', async () => {
    await client.query(`insert into change_feed (txid, kind, id) values (${FUTURE}, 'key', 'x')`);
    await client.query(`insert into feed_horizons (oldest) values (${FUTURE})`);
    await client.query(touch, [id]);
    const rows = await feedRows();
    await deleteFutureRows(fixture.database.orm);
    expect(await feedRows()).toBe(rows - 1);
    expect(await named()).toEqual([`key ${id}`]);
    await pruneFeed(fixture.database.orm, 0);
    await named();
    const { resets } = fixture.feed;
    await named();
    expect(fixture.feed.resets).toBe(resets);
  });

  it('a pruning horizon in the future does not reset an instance forever', async () => {
    await client.query(`update feed_pruned set below = ${FUTURE}`);
    await named();
    expect(fixture.feed.resets).toBe(2);
    await client.query('select pg_current_xact_id()');
    await named();
    expect(fixture.feed.resets).toBe(3);
    await deleteFutureRows(fixture.database.orm);
    await named();
    expect(fixture.feed.resets).toBe(3);
  });
});
