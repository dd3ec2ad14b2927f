import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { interceptQuery, recordEveryStatement } from '../support/statements.ts';

const PROBE = ['fence'];
const BOTH = ['fence', 'read_changes'];

let database: TestDatabase;
let fixture: CacheFixture;
let statements: string[];

beforeAll(async () => {
  database = await createTestDatabase();
  return database.drop;
});
beforeEach(async () => {
  fixture = await startCacheFixture(database.url);
  // Whatever other tests commit: the snapshot of these fences is always the same.
  for (const name of BOTH) {
    interceptQuery(fixture.database, name, async (send) =>
      (await send()).map((row) => ({ ...row, snapshot: '900:900:' })),
    );
  }
  await fixture.fence.waitUntilFresh();
  fixture.feed.resets = 0;
  statements = recordEveryStatement(fixture.database);
});
afterEach(() => fixture.database.close());

/** The statements of the next fence. */
async function nextFence(): Promise<string[]> {
  statements.length = 0;
  await fixture.fence.waitUntilFresh();
  return [...statements];
}

/** Changes what the probe of the next fence is answered; its snapshot is the same. */
function changeNextProbe(change: object): void {
  const restore = interceptQuery(fixture.database, 'fence', async (send) => {
    restore();
    return (await send()).map((row) => ({ ...row, ...change }));
  });
}

it.for([
  { sign: 'incarnation', answer: { incarnation: '00000000-0000-4000-8000-000000000000' } },
  { sign: 'incarnation table that is empty', answer: { incarnation: null } },
  { sign: 'start of Postgres', answer: { started: 946_684_799 } },
])(
  'the same snapshot with another $sign resets, even if the second statement does not see that',
  async ({ answer }) => {
    changeNextProbe(answer);
    expect(await nextFence()).toEqual(BOTH);
    expect(fixture.feed.resets).toBe(1);
    expect(await nextFence()).toEqual(PROBE);
    expect(fixture.feed.resets).toBe(1);
  },
);

it.for(['before', 'after'] as const)(
  'the same snapshot resets if a connection was lost %s its answer, and again with the next fence',
  async (point) => {
    const probe = fixture.database.hold('fence', point);
    const passing = fixture.fence.waitUntilFresh();
    await probe.reached;
    fixture.database.reportLoss();
    probe.open();
    await passing;
    expect(fixture.feed.resets).toBe(1);
    expect(await nextFence()).toEqual(BOTH);
    expect(fixture.feed.resets).toBe(2);
    expect(await nextFence()).toEqual(PROBE);
  },
);

it('a connection that is lost between two fences resets although the snapshot is the same', async () => {
  fixture.database.reportLoss();
  expect(await nextFence()).toEqual(BOTH);
  expect(fixture.feed.resets).toBe(1);
  expect(await nextFence()).toEqual(PROBE);
});

it('a fence that failed is followed by one that reads the feed and resets, although the snapshot is the same', async () => {
  const restore = interceptQuery(fixture.database, 'fence', async () => {
    restore();
    throw new Error('no answer');
  });
  await expect(fixture.fence.waitUntilFresh()).rejects.toMatchObject({
    name: 'UnavailableError',
  });
  await expect.poll(() => fixture.fence.isDown).toBe(false);
  expect(await nextFence()).toEqual(BOTH);
  expect(fixture.feed.resets).toBe(1);
});
