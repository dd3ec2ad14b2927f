import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { FeedRecorder } from '../support/feed-recorder.ts';
import { insertKey } from '../support/sql-keys.ts';
import { interceptQuery } from '../support/statements.ts';

let database: TestDatabase;
let fixture: CacheFixture;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  client = await connect(database.url);
  fixture = await startCacheFixture(database.url);
});
afterEach(() => fixture.database.close());

async function insertOne(): Promise<{ id: string; ref: string }> {
  const ref = randomBytes(8).toString('hex');
  const id = `key_${ref}`;
  await insertKey(client, { id, ref });
  return { id, ref };
}

/** How many resets there were after each of several fences in a row. */
async function resetsAfter(fences: number): Promise<number[]> {
  const resets = [];
  for (let i = 0; i < fences; i++) {
    await fixture.fence.waitUntilFresh();
    resets.push(fixture.feed.resets);
  }
  return resets;
}

/** The next fence fails, although no connection is lost by it; at once, or when it is told to. */
function failNextFence(when: Promise<void> = Promise.resolve()): void {
  const restore = interceptQuery(fixture.database, 'fence', async () => {
    restore();
    await when;
    throw new Error('no answer');
  });
}

/** Changes what both statements of the next fence are answered. */
function changeNextAnswer(change: (row: Record<string, unknown>) => object): void {
  for (const name of ['read_changes', 'fence']) {
    const restore = interceptQuery(fixture.database, name, async (send) => {
      restore();
      const rows = await send();
      return rows.map((row) => ({ ...row, ...change(row) }));
    });
  }
}

it('the loss of a connection resets the cache at the next fence, and only at that one', async () => {
  expect(await resetsAfter(2)).toEqual([1, 1]);
  fixture.database.reportLoss();
  expect(await resetsAfter(3)).toEqual([2, 2, 2]);
});

it.for(['before', 'after'] as const)(
  'a loss %s the answer to a fence resets with it and again with the next one',
  async (point) => {
    const fence = fixture.database.hold('fence', point);
    const passing = fixture.fence.waitUntilFresh();
    await fence.reached;
    fixture.database.reportLoss();
    fence.open();
    await passing;
    expect(fixture.feed.resets).toBe(2);
    expect(await resetsAfter(2)).toEqual([3, 3]);
  },
);

it('a fence that failed resets with the next one that returns', async () => {
  failNextFence();
  await expect(fixture.fence.waitUntilFresh()).rejects.toMatchObject({ name: 'UnavailableError' });
  await expect.poll(() => fixture.fence.isDown).toBe(false);
  expect(await resetsAfter(2)).toEqual([2, 2]);
});

it('the loss of a connection before a fence that fails resets with the next one that returns', async () => {
  fixture.database.reportLoss();
  failNextFence();
  await expect(fixture.fence.waitUntilFresh()).rejects.toMatchObject({ name: 'UnavailableError' });
  await expect.poll(() => fixture.fence.isDown).toBe(false);
  expect(await resetsAfter(2)).toEqual([2, 2]);
});

it.for([
  { sign: 'incarnation', answer: { incarnation: '00000000-0000-4000-8000-000000000000' } },
  { sign: 'start of Postgres', answer: { started: 946_684_799 } },
])(
  'another $sign resets although no connection was lost, and again when it changes back',
  async ({ answer }) => {
    changeNextAnswer(() => answer);
    expect(await resetsAfter(3)).toEqual([2, 3, 3]);
  },
);

it('a snapshot older than the one before resets: the database went back in time', async () => {
  changeNextAnswer(({ snapshot }) => {
    const later = Number(String(snapshot).split(':')[1]) + 1_000_000;
    return { snapshot: `${later}:${later}:` };
  });
  expect(await resetsAfter(3)).toEqual([1, 2, 2]);
});

it('every listener is called with each change and each reset', async () => {
  const second = new FeedRecorder();
  const third = new FeedRecorder();
  for (const listener of [second, third]) fixture.fence.subscribe(listener);
  const { id, ref } = await insertOne();
  await fixture.fence.waitUntilFresh();
  const named = [`key ${id}`, `secret ${ref}`];
  for (const { resets, ...listener } of [fixture.feed, second, third].map(heard)) {
    expect(listener).toEqual({ named });
    expect(resets).toBe(0);
  }
  fixture.database.reportLoss();
  await insertOne();
  await fixture.fence.waitUntilFresh();
  for (const listener of [fixture.feed, second, third].map(heard)) {
    expect(listener).toEqual({ named: [], resets: 1 });
  }
});

/** What a listener heard after the first fence of its engine. */
function heard(listener: FeedRecorder) {
  const first = listener === fixture.feed ? 1 : 0;
  return { named: listener.take(), resets: listener.resets - first };
}

it('one fence is in flight at a time, and callers that arrive meanwhile wait for the next', async () => {
  const { count } = fixture.fence;
  const fence = fixture.database.hold('fence', 'before');
  const passings = [fixture.fence.waitUntilFresh()];
  await fence.reached;
  for (let i = 0; i < 20; i++) {
    passings.push(fixture.fence.waitUntilFresh());
    await setImmediate();
  }
  expect(fixture.fence.count).toBe(count + 1);
  fence.open();
  await Promise.all(passings);
  expect(fixture.fence.count).toBe(count + 2);
});

it('callers that wait while a fence fails are answered by the next one, after a reset', async () => {
  const failure = Promise.withResolvers<void>();
  failNextFence(failure.promise);
  const failed = expect(fixture.fence.waitUntilFresh()).rejects.toMatchObject({
    name: 'UnavailableError',
  });
  await expect.poll(() => fixture.fence.count).toBe(2);
  const waiting = fixture.fence.waitUntilFresh();
  failure.resolve();
  await failed;
  await waiting;
  expect(fixture.feed.resets).toBe(2);
});

it('after a failure callers are refused without a statement, and while one asks again', async () => {
  const { ref } = await insertOne();
  failNextFence();
  const refused = { name: 'UnavailableError' };
  await expect(fixture.fence.waitUntilFresh()).rejects.toMatchObject(refused);
  const { count } = fixture.fence;
  await expect(fixture.fence.waitUntilFresh()).rejects.toMatchObject(refused);
  expect(fixture.fence.count).toBe(count);
  await expect.poll(() => fixture.fence.isDown).toBe(false);
  const fence = fixture.database.hold('fence', 'before');
  const asking = fixture.fence.waitUntilFresh();
  await fence.reached;
  await expect(fixture.fence.waitUntilFresh()).rejects.toMatchObject(refused);
  await expect(fixture.cache.get(ref)).rejects.toMatchObject(refused);
  expect(fixture.cache.loads).toBe(0);
  fence.open();
  await asking;
  expect(fixture.fence.count).toBe(count + 1);
});

it('once a fence has returned after a failure, callers wait for the next and are not refused', async () => {
  failNextFence();
  await fixture.fence.waitUntilFresh().catch(() => undefined);
  await expect.poll(() => fixture.fence.isDown).toBe(false);
  await fixture.fence.waitUntilFresh();
  const fence = fixture.database.hold('fence', 'before');
  const passing = fixture.fence.waitUntilFresh();
  await fence.reached;
  const waiting = fixture.fence.waitUntilFresh();
  fence.open();
  await Promise.all([passing, waiting]);
  expect(fixture.fence.isDown).toBe(false);
});
