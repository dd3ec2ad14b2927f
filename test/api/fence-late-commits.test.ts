import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { Fence } from '../../src/freshness/fence.ts';
import { Clock } from '../../src/lib/clock.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { FeedRecorder } from '../support/feed-recorder.ts';
import { type Instance, launch } from '../support/instance.ts';
import { createKey, verdict } from '../support/sql-keys.ts';
import { warmKey } from '../support/warm.ts';

let database: TestDatabase;
let instance: Instance;
let own: Database;
let fence: Fence;
let feed: FeedRecorder;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
  own = new Database({ url: database.url, poolSize: 2, preparedStatements: true });
});
afterAll(async () => {
  await own.close();
  await instance.stop();
  await database.drop();
});
beforeEach(async () => {
  fence = new Fence(own, new Clock());
  feed = new FeedRecorder();
  fence.subscribe(feed);
  await fence.waitUntilFresh();
});

const named = async () => {
  await fence.waitUntilFresh();
  return feed.take();
};
const touch = (id: string) => `update keys set updated_at = now() where id = '${id}'`;
const revoke = (id: string) => `update keys set revoked_at = now() where id = '${id}'`;

describe('a change that commits after fences that saw it open', () => {
  it('a late change leaves the key VALID until its commit, and REVOKED at once after', async () => {
    const { id, key } = await createKey(instance);
    const late = await connect(database.url);
    await late.query('begin');
    await late.query(revoke(id));
    await warmKey(key, instance);
    await late.query('commit');
    expect(await verdict(instance, key)).toBe('REVOKED');
  });

  it('a late commit is reported by the next fence, once, however many fences returned before', async () => {
    const { id } = await createKey(instance);
    await named();
    const late = await connect(database.url);
    await late.query('begin');
    await late.query(touch(id));
    expect(await named()).toEqual([]);
    expect(await named()).toEqual([]);
    await late.query('commit');
    expect(await named()).toEqual([`key ${id}`]);
    expect(await named()).toEqual([]);
    expect(feed.resets).toBe(1);
  });

  it('a late commit is reported once although an older transaction holds xmin and younger ones commit', async () => {
    const keys = await Promise.all(Array.from({ length: 4 }, () => createKey(instance)));
    const [oldest, late, ...others] = keys.map(({ id }) => id);
    await named();
    const holder = await connect(database.url);
    const second = await connect(database.url);
    const third = await connect(database.url);
    await holder.query('begin');
    await holder.query(touch(oldest ?? ''));
    await second.query('begin');
    await second.query(touch(late ?? ''));
    for (const id of others) {
      await third.query(touch(id));
      expect(await named()).toEqual([`key ${id}`]);
    }
    await second.query('commit');
    expect(await named()).toEqual([`key ${late}`]);
    await holder.query('commit');
    expect(await named()).toEqual([`key ${oldest}`]);
    expect(await named()).toEqual([]);
  });
});

describe('subtransactions', () => {
  it('a released savepoint is reported with its transaction, and a rolled-back savepoint never', async () => {
    const [kept, undone, after] = await Promise.all([
      createKey(instance),
      createKey(instance),
      createKey(instance),
    ]);
    await named();
    const late = await connect(database.url);
    await late.query('begin');
    await late.query(`savepoint a; ${touch(kept.id)}; release savepoint a`);
    await late.query(`savepoint b; ${touch(undone.id)}; rollback to savepoint b`);
    await late.query(touch(after.id));
    expect(await named()).toEqual([]);
    await late.query('commit');
    expect(await named()).toEqual([`key ${kept.id}`, `key ${after.id}`].sort());
    expect(await named()).toEqual([]);
  });

  it('a transaction with more subtransactions than a snapshot lists is still reported, once', async () => {
    const { id } = await createKey(instance);
    await named();
    const late = await connect(database.url);
    await late.query('begin');
    for (let i = 0; i < 80; i++) {
      await late.query(`savepoint s${i}; ${touch(id)}; release savepoint s${i}`);
    }
    expect(await named()).toEqual([]);
    await late.query('commit');
    expect(await named()).toEqual(Array(80).fill(`key ${id}`));
    expect(await named()).toEqual([]);
  });
});

it('a transaction that is rolled back is never reported', async () => {
  const { id, key } = await createKey(instance);
  await named();
  const late = await connect(database.url);
  await late.query(`begin; ${revoke(id)}`);
  expect(await named()).toEqual([]);
  await late.query('rollback');
  expect(await named()).toEqual([]);
  expect(await verdict(instance, key)).toBe('VALID');
});
