import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { connect } from '../support/database.ts';
import { startPrivatePostgres } from '../support/private-postgres.ts';
import { insertKey } from '../support/sql-keys.ts';
import { recordEveryStatement } from '../support/statements.ts';

const PROBE = ['fence'];
const BOTH = ['fence', 'read_changes'];

let url: string;
let client: pg.Client;
let fixture: CacheFixture;
let statements: string[];

// Each test has its own server: transactions of other tests would change its snapshot.
beforeEach(async () => {
  ({ url } = await startPrivatePostgres({ autovacuum: 'off' }));
  client = await connect(url);
  fixture = await startCacheFixture(url);
  statements = recordEveryStatement(fixture.database);
});
afterEach(() => fixture.database.close());

async function insertOne(): Promise<string> {
  const ref = randomBytes(8).toString('hex');
  await insertKey(client, { id: `key_${ref}`, ref });
  await fixture.fence.waitUntilFresh();
  fixture.feed.take();
  return `key_${ref}`;
}

const touch = (id: string) => `update keys set updated_at = now() where id = '${id}'`;

/** A transaction that has changed the key, and is open. */
async function beginChange(id: string): Promise<pg.Client> {
  const writer = await connect(url);
  await writer.query(`begin; ${touch(id)}`);
  return writer;
}

/** The oldest and the newest transaction of the present snapshot. */
async function bounds(): Promise<string[]> {
  const { rows } = await client.query('select pg_current_snapshot()::text as snapshot');
  return rows[0].snapshot.split(':', 2);
}

/** The statements of the next fence, and what it named. */
async function nextFence(): Promise<{ sent: string[]; named: string[] }> {
  statements.length = 0;
  await fixture.fence.waitUntilFresh();
  return { sent: [...statements], named: fixture.feed.take() };
}

/** How many of several fences in a row read the feed. */
async function readingsOf(fences: number): Promise<number> {
  statements.length = 0;
  for (let i = 0; i < fences; i++) await fixture.fence.waitUntilFresh();
  return statements.filter((name) => name === 'read_changes').length;
}

it('while nothing is committed, a fence is one statement and reads nothing of the feed', async () => {
  const id = await insertOne();
  expect(await nextFence()).toEqual({ sent: PROBE, named: [] });
  await client.query('begin; select count(*) from keys');
  expect(await nextFence()).toEqual({ sent: PROBE, named: [] });
  await client.query('commit');
  expect(await nextFence()).toEqual({ sent: PROBE, named: [] });
  await client.query(touch(id));
  expect(await nextFence()).toEqual({ sent: BOTH, named: [`key ${id}`] });
  expect(await nextFence()).toEqual({ sent: PROBE, named: [] });
  expect(fixture.feed.resets).toBe(1);
});

it('a transaction that stays open costs the fences no reading of the feed, and is named when it commits', async () => {
  const [id, other] = [await insertOne(), await insertOne()];
  const late = await beginChange(id);
  await client.query(touch(other));
  expect((await nextFence()).named).toEqual([`key ${other}`]);
  expect(await readingsOf(5)).toBe(0);
  await late.query('commit');
  expect(await nextFence()).toEqual({ sent: BOTH, named: [`key ${id}`] });
  expect(await readingsOf(5)).toBe(0);
});

it('a commit is noticed that moves neither the oldest nor the newest transaction of the snapshot', async () => {
  const [first, second, third] = [await insertOne(), await insertOne(), await insertOne()];
  const oldest = await beginChange(first);
  const middle = await beginChange(second);
  await client.query(touch(third));
  expect((await nextFence()).named).toEqual([`key ${third}`]);
  const before = await bounds();
  await middle.query('commit');
  expect(await bounds()).toEqual(before);
  expect(await nextFence()).toEqual({ sent: BOTH, named: [`key ${second}`] });
  await oldest.query('rollback');
  expect(await nextFence()).toEqual({ sent: BOTH, named: [] });
});

it('what another instance commits between the two statements of a fence is named by that fence, once', async () => {
  const [first, second] = [await insertOne(), await insertOne()];
  await client.query(touch(first));
  const reading = fixture.database.hold('read_changes', 'before');
  const passing = fixture.fence.waitUntilFresh();
  await reading.reached;
  await client.query(touch(second));
  reading.open();
  await passing;
  expect(fixture.feed.take()).toEqual([`key ${first}`, `key ${second}`].sort());
  expect(await nextFence()).toEqual({ sent: PROBE, named: [] });
});
