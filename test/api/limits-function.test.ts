import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lastRefill } from '../../src/domain/refill.ts';
import {
  type ConsumeAnswer,
  consume,
  type Entry,
  entryOf,
  insertLimitedKey,
  type LimitedKey,
} from '../support/consume.ts';
import { connect, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { KeyModel, naiveLastRefill } from '../support/limits-model.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const UNITS = ['a', 'b', 'c', 'd', 'e'] as const;

const refills = fc.oneof(
  fc.constant({ interval: 'daily' as const, amount: 12, dayOfMonth: null }),
  fc.record({
    interval: fc.constant('monthly' as const),
    amount: fc.integer({ min: 0, max: 40 }),
    dayOfMonth: fc.integer({ min: 1, max: 31 }),
  }),
);
const keys = fc.record({
  limits: fc
    .array(
      fc.record({
        limit: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(0)),
        windowSeconds: fc.constantFrom(1, 2, 7, 60, 3600, 86_400, 2_592_000),
      }),
      { maxLength: 5 },
    )
    .map((all) => all.map((limit, i) => ({ name: UNITS[i] ?? '', ...limit }))),
  credits: fc.option(fc.integer({ min: 0, max: 60 })),
  refill: fc.option(refills),
  createdAt: fc.constant(Date.now()),
});
/** Mostly forward, by fractions of the windows; sometimes backward, as with a broken clock. */
const pauses = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 4000 }),
  fc.integer({ min: 0, max: 2 * HOUR }),
  fc.integer({ min: 0, max: 40 * DAY }),
  fc.integer({ min: -3 * DAY, max: 0 }),
);
const costs = fc.oneof(fc.constantFrom(0, 1, 1, 1), fc.integer({ min: 0, max: 50 }));
const batches = fc.array(
  fc.record({
    pause: pauses,
    entries: fc.array(fc.record({ key: fc.nat(2), cost: costs }), { minLength: 1, maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 10 },
);

describe('the function that consumes limits and credits', () => {
  let database: TestDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  /** The answers for the entries of one key, and those of the model. */
  function compare(model: KeyModel, answer: ConsumeAnswer, entries: Entry[], key: string) {
    const own = entries.flatMap((entry, index) => (entry.key === key ? [index] : []));
    if (own.length === 0) return null;
    const now = answer.times[own[0] ?? 0] ?? 0;
    for (const index of own) expect(answer.times[index]).toBe(now);
    const expected = model.consumeAll(
      own.map((index) => entries[index]?.cost ?? 0),
      now,
    );
    const actual = own.map((index) => entryOf(answer, index, model.limits.length));
    expect(actual).toEqual(expected);
    return {
      now,
      spent: actual.some(({ code }, i) => code === 'VALID' && costAt(entries, own[i])),
    };
  }
  const costAt = (entries: Entry[], index: number | undefined) =>
    (entries[index ?? -1]?.cost ?? 0) > 0;

  it('the quota function decides random batches as a sequential reference does, even if time runs backwards', async () => {
    client = await connect(database.url);
    const run = async (
      wanted: LimitedKey[],
      all: { pause: number; entries: { key: number; cost: number }[] }[],
    ) => {
      const id = randomUUID();
      const models = new Map<string, KeyModel>();
      for (const [index, key] of wanted.entries()) {
        await insertLimitedKey(client, `${id}-${index}`, key);
        const { limits, credits, refill, createdAt } = key;
        const limited = credits === null ? null : refill;
        models.set(`${id}-${index}`, new KeyModel(limits, credits, limited, createdAt));
      }
      const last = new Map<string, number>();
      let offset = 0;
      for (const { pause, entries: batch } of all) {
        offset += pause;
        const entries = batch.map(({ key, cost }) => ({ key: `${id}-${key}`, cost }));
        const before = Date.now() + offset;
        const answer = await consume(client, entries, offset);
        for (const [key, model] of models) {
          const seen = compare(model, answer, entries, key);
          if (!seen) continue;
          expect(seen.now).toBeGreaterThanOrEqual(Math.max(before - 1000, last.get(key) ?? 0));
          if (seen.spent) last.set(key, seen.now);
        }
      }
    };
    const property = fc.asyncProperty(fc.tuple(keys, keys, keys), batches, run);
    await fc.assert(property, { numRuns: 150 });
  });

  it('the quota function computes the same refill dates as the service and a calendar', async () => {
    client = await connect(database.url);
    const sample = fc.sample(
      fc.tuple(refills, fc.integer({ min: 0, max: 4_200_000_000_000 })),
      3000,
    );
    const { rows } = await client.query(
      `select last_refill_ms(i, d, n)::float8 as due
         from unnest($1::text[], $2::int[], $3::bigint[]) with ordinality as u (i, d, n, place)
        order by place`,
      [
        sample.map(([{ interval }]) => interval),
        sample.map(([{ dayOfMonth }]) => dayOfMonth),
        sample.map(([, now]) => now),
      ],
    );
    const due = rows.map((row) => row.due);
    expect(due).toEqual(sample.map(([refill, now]) => naiveLastRefill(refill, now)));
    expect(due).toEqual(sample.map(([refill, now]) => lastRefill(refill, now)));
  });

  it('a repeated quota batch consumes once and gets the same answer, and an outdated one gets none', async () => {
    client = await connect(database.url);
    const id = randomUUID();
    const limits = [{ name: 'a', limit: 5, windowSeconds: 60 }];
    await insertLimitedKey(client, id, { limits, credits: 10, refill: null, createdAt: 0 });
    const [instance, lane] = [randomUUID(), 'a'];
    const batch = Array.from({ length: 3 }, () => ({ key: id, cost: 1 }));
    const first = await consume(client, batch, 0, { instance, lane, sequence: 1 });
    expect(await consume(client, batch, 0, { instance, lane, sequence: 1 })).toEqual(first);
    expect(first.credits).toEqual([9, 8, 7]);
    const next = await consume(client, batch, 0, { instance, lane, sequence: 2 });
    expect(next.codes).toEqual([0, 0, 1]);
    expect(await consume(client, batch, 0, { instance, lane, sequence: 1 })).toBeNull();
    const other = await consume(client, batch, 0, { instance, lane: 'b', sequence: 1 });
    expect(other).toMatchObject({ codes: [1, 1, 1], credits: [5, 5, 5] });
  });

  it('a limit of 0 lets nothing through, a cost above a limit is never allowed, and a cost of 0 always is', async () => {
    client = await connect(database.url);
    const none = randomUUID();
    const five = randomUUID();
    const limit = (units: number) => [{ name: 'a', limit: units, windowSeconds: 60 }];
    const rest = { credits: null, refill: null, createdAt: 0 };
    await insertLimitedKey(client, none, { limits: limit(0), ...rest });
    await insertLimitedKey(client, five, { limits: limit(5), ...rest });
    const entries = [none, none, five, five, five, five].map((key, i) => ({
      key,
      cost: [1, 0, 6, 5, 1, 0][i] ?? 0,
    }));
    const answer = await consume(client, entries);
    expect(answer.codes).toEqual([1, 0, 1, 0, 1, 0]);
  });

  it('the quota function answers nothing for a key without a quota row', async () => {
    client = await connect(database.url);
    const answer = await consume(client, [{ key: 'key_nowhere', cost: 1 }]);
    expect(answer.codes).toEqual([null]);
  });

  it('the quota function decides by the limits that a change left which held the row, and loses nothing consumed', async () => {
    client = await connect(database.url);
    const holder = await connect(database.url);
    const id = randomUUID();
    const limit = (name: string) => ({ name, limit: 10, windowSeconds: name === 'a' ? 60 : 600 });
    const rest = { credits: null, refill: null, createdAt: 0 };
    await insertLimitedKey(client, id, { limits: [limit('a')], ...rest });
    const spend = () => consume(client, [{ key: id, cost: 1 }]);
    await holder.query('begin');
    await holder.query('select 1 from key_consumption where key_id = $1 for update', [id]);
    await holder.query(
      `update keys set limit_names = '{a,b}', limit_units = '{10,10}', limit_windows = '{60,600}'
        where id = $1`,
      [id],
    );
    expect((await spend()).codes).toEqual([3]);
    await holder.query('commit');
    expect(entryOf(await spend(), 0, 2).units).toEqual([9, 9]);
    expect(entryOf(await spend(), 0, 2).units).toEqual([8, 8]);
  });

  it('the quota function waits for no row: it decides the keys of a batch that are free, and says which are locked and which have none', async () => {
    client = await connect(database.url);
    const holder = await connect(database.url);
    const [free, locked] = [randomUUID(), randomUUID()];
    const rest = { limits: [], credits: 10, refill: null, createdAt: 0 };
    for (const id of [free, locked]) await insertLimitedKey(client, id, rest);
    await holder.query('begin');
    await holder.query('select 1 from key_consumption where key_id = $1 for update', [locked]);
    await holder.query('select 1 from keys for update');
    const keys = [locked, free, randomUUID(), locked, free];
    const batch = { instance: randomUUID(), sequence: 1 };
    const entries = keys.map((key) => ({ key, cost: 1 }));
    const answer = await consume(client, entries, 0, batch);
    expect(answer.codes).toEqual([3, 0, null, 3, 0]);
    expect(answer.credits).toEqual([null, 9, null, null, 8]);
    await holder.query('commit');
    expect(await consume(client, entries, 0, batch)).toEqual(answer);
    const { credits } = await consume(client, entries);
    expect(credits).toEqual([9, 7, null, 8, 6]);
  });
});
