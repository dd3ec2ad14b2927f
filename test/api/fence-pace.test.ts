import { setImmediate } from 'node:timers/promises';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { type CacheFixture, startCacheFixture } from '../support/cache-fixture.ts';
import { createTestDatabase } from '../support/database.ts';
import { interceptQuery } from '../support/statements.ts';

/** At most a burst at once in each slot, and one a millisecond beyond it. */
const BURST = 4;
const SLOT_MS = 4;
const MEASURED_MS = 200;

let fixture: CacheFixture;

beforeEach(async () => {
  const database = await createTestDatabase();
  fixture = await startCacheFixture(database.url);
  onTestFinished(database.drop);
  await answerAtOnce();
});
afterEach(() => fixture.database.close());

/** Every fence is answered with what one was: as by a database that takes no time at all. */
async function answerAtOnce(): Promise<void> {
  let kept: pg.QueryResultRow[] = [];
  const restore = interceptQuery(fixture.database, 'fence', async (send) => {
    const rows = await send();
    kept = rows;
    return rows;
  });
  await fixture.fence.waitUntilFresh();
  restore();
  const [row] = kept;
  if (!row) throw new Error('a fence has one row');
  fixture.database.query = async <Row extends pg.QueryResultRow>() => [row as Row];
}

const isSent = async () => {
  const { count } = fixture.fence;
  const passing = fixture.fence.waitUntilFresh();
  await setImmediate();
  const sent = fixture.fence.count > count;
  await passing;
  return sent;
};

async function untilNextSlot(): Promise<void> {
  const slot = () => Math.floor(performance.now() / SLOT_MS);
  const before = slot();
  while (slot() === before) await setImmediate();
}

it('an instance sends fewer than two thousand fences a second, however fast they are answered', async () => {
  const { count } = fixture.fence;
  const started = performance.now();
  while (performance.now() - started < MEASURED_MS) await fixture.fence.waitUntilFresh();
  const elapsed = performance.now() - started;
  expect(fixture.fence.count - count).toBeLessThanOrEqual(2 * elapsed + 2 * BURST);
});

it('a burst of fences after a quiet moment is sent without a pause', async () => {
  for (let round = 0; round < 5; round++) {
    await untilNextSlot();
    for (let i = 0; i < BURST; i++) expect(await isSent()).toBe(true);
  }
});
