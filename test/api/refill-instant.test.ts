import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { consume, entryOf } from '../support/consume.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { createKey } from '../support/sql-keys.ts';

const DAY_MS = 86_400_000;
const AMOUNT = 5;

/** Midnights in years to come: the last time of a key is never before the clock. */
const REFILLS = [
  { when: 'daily', refill: { interval: 'daily', amount: AMOUNT }, due: Date.UTC(2099, 5, 17) },
  {
    when: 'monthly on day 15',
    refill: { interval: 'monthly', amount: AMOUNT, dayOfMonth: 15 },
    due: Date.UTC(2099, 5, 15),
  },
  {
    when: 'monthly on day 31, in a month of 30 days',
    refill: { interval: 'monthly', amount: AMOUNT, dayOfMonth: 31 },
    due: Date.UTC(2099, 5, 30),
  },
  {
    when: 'monthly on day 31, in a leap February',
    refill: { interval: 'monthly', amount: AMOUNT, dayOfMonth: 31 },
    due: Date.UTC(2096, 1, 29),
  },
];

describe('the instant of a refill', () => {
  let database: TestDatabase;
  let instance: Instance;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createTestDatabase();
    instance = await launch(database.url);
  });
  afterAll(async () => {
    await instance.stop();
    await database.drop();
  });
  beforeEach(async () => {
    client = await connect(database.url);
  });

  /** A spent key for which time stands still at this millisecond, last refilled before `due`. */
  async function spentKeyAt(refill: object, due: number, now: number): Promise<string> {
    const { id } = await createKey(instance, { credits: { remaining: 0, refill } });
    await client.query(
      'update key_consumption set last_ms = $2, refilled_ms = $3 where key_id = $1',
      [id, now, due - DAY_MS / 2],
    );
    return id;
  }

  const shown = async (id: string) =>
    (await instance.call('GET', `/v1/keys/${id}`)).body.credits.remaining;
  const spend = async (id: string) => entryOf(await consume(client, [{ key: id, cost: 1 }]), 0, 0);

  it.for(REFILLS)(
    'a refill ($when) sets the balance in the very millisecond in which it is due, once',
    async ({ refill, due }) => {
      const id = await spentKeyAt(refill, due, due);
      expect(await shown(id)).toBe(AMOUNT);
      expect(await spend(id)).toMatchObject({ code: 'VALID', credits: AMOUNT - 1 });
      expect(await shown(id)).toBe(AMOUNT - 1);
      expect(await spend(id)).toMatchObject({ code: 'VALID', credits: AMOUNT - 2 });
    },
  );

  it.for(REFILLS)(
    'a refill ($when) leaves the balance alone a millisecond before it is due',
    async ({ refill, due }) => {
      const id = await spentKeyAt(refill, due, due - 1);
      expect(await shown(id)).toBe(0);
      expect(await spend(id)).toMatchObject({ code: 'CREDITS_EXHAUSTED', credits: 0 });
    },
  );
});
