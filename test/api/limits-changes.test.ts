import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consume, entryOf, insertLimitedKey, setLimits } from '../support/consume.ts';
import { connect } from '../support/database.ts';
import type { Instance } from '../support/instance.ts';
import { usePair } from '../support/pair.ts';
import { type CreatedKey, createKey } from '../support/sql-keys.ts';

interface Limit {
  name: string;
  limit: number;
  windowSeconds: number;
}

const HOUR = 3600;
const hourly = (limit: number, name = 'a'): Limit => ({ name, limit, windowSeconds: HOUR });

describe('changed limits', () => {
  const pair = usePair();
  const verify = async (instance: Instance, key: string, cost = 1) =>
    (await instance.call('POST', '/v1/verify', { body: { key, cost } })).body;
  const patch = async ({ id }: CreatedKey, rateLimits: Limit[]) => {
    const answer = await pair.first.call('PATCH', `/v1/keys/${id}`, { body: { rateLimits } });
    expect(answer.status).toBe(200);
    return answer.body;
  };
  /** What is left of each limit, which the read of the key and the database must agree on. */
  const left = async ({ id, key }: CreatedKey) => {
    const read = (await pair.second.call('GET', `/v1/keys/${id}`)).body.rateLimits;
    const verified = (await verify(pair.second, key, 0)).rateLimits;
    const shown = verified.map(({ exceeded: _, ...limit }: { exceeded: boolean }) => limit);
    expect(read).toEqual(shown);
    return Object.fromEntries(
      read.map(({ name, remaining }: { name: string; remaining: number }) => [name, remaining]),
    );
  };
  const spent = async (limits: Limit[], cost: number) => {
    const created = await createKey(pair.first, { rateLimits: limits });
    await verify(pair.first, created.key, cost);
    return created;
  };

  it('two rate limits of one name are refused, of a new key and of one that keeps its limits', async () => {
    const created = await createKey(pair.first, { rateLimits: [hourly(50)] });
    const body = { rateLimits: [hourly(1), hourly(2, 'b'), hourly(3)] };
    for (const answer of [
      await pair.first.call('POST', '/v1/keys', { body: { name: 'twice', ...body } }),
      await pair.first.call('PATCH', `/v1/keys/${created.id}`, { body }),
    ]) {
      expect(answer.status).toBe(400);
      expect(answer.body.errors).toMatchObject([{ pointer: '/body/rateLimits/2/name' }]);
    }
    expect(await left(created)).toEqual({ a: 50 });
  });

  it('consumed units are kept when a limit goes down, up, and back', async () => {
    const created = await spent([hourly(50)], 30);
    await patch(created, [hourly(20)]);
    expect(await left(created)).toEqual({ a: 0 });
    expect((await verify(pair.second, created.key)).code).toBe('RATE_LIMITED');
    await patch(created, [hourly(40)]);
    expect(await left(created)).toEqual({ a: 10 });
    expect((await verify(pair.second, created.key, 10)).code).toBe('VALID');
    expect((await verify(pair.first, created.key)).code).toBe('RATE_LIMITED');
  });

  it('consumed units are kept when limits are renamed, reordered, or another one is removed', async () => {
    const day = { name: 'day', limit: 100, windowSeconds: 86_400 };
    const created = await spent([hourly(50), day], 30);
    await patch(created, [hourly(50, 'renamed'), day]);
    expect(await left(created)).toEqual({ renamed: 20, day: 70 });
    await patch(created, [day, hourly(50, 'renamed')]);
    expect(await left(created)).toEqual({ day: 70, renamed: 20 });
    await patch(created, [hourly(50, 'renamed')]);
    expect(await left(created)).toEqual({ renamed: 20 });
    await patch(created, [hourly(35, 'second'), hourly(50, 'renamed')]);
    expect(await left(created)).toEqual({ second: 5, renamed: 20 });
  });

  it('consumed units still count when a window gets longer or shorter', async () => {
    const created = await spent([hourly(50)], 30);
    await patch(created, [{ ...hourly(50), windowSeconds: 2 * HOUR }]);
    expect(await left(created)).toEqual({ a: 20 });
    await patch(created, [{ ...hourly(50), windowSeconds: 2 }]);
    pair.advance(HOUR * 1051);
    await patch(created, [hourly(50)]);
    expect(await left(created)).toEqual({ a: 50 });
  });

  it('units that have long left their window do not count after its length changes', async () => {
    const created = await spent([{ ...hourly(50), windowSeconds: 60 }], 30);
    pair.advance(5 * HOUR * 1000);
    await patch(created, [{ ...hourly(50), windowSeconds: 120 }]);
    expect(await left(created)).toEqual({ a: 50 });
  });

  it('new limits begin unconsumed, and nothing is left when the last limit is removed', async () => {
    const created = await createKey(pair.first, { credits: { remaining: 10 } });
    await verify(pair.first, created.key);
    await patch(created, [hourly(5)]);
    expect(await left(created)).toEqual({ a: 5 });
    await verify(pair.first, created.key, 5);
    expect((await verify(pair.second, created.key)).code).toBe('RATE_LIMITED');
    await patch(created, []);
    expect(await verify(pair.second, created.key)).toMatchObject({ code: 'VALID', rateLimits: [] });
  });

  it('limits that were changed by SQL still count what was consumed before', async () => {
    const created = await spent([hourly(50)], 30);
    const client = await connect(pair.databaseUrl);
    await setLimits(client, created.id, [hourly(10, 'new'), { ...hourly(60), windowSeconds: 60 }]);
    expect((await verify(pair.second, created.key)).code).toBe('RATE_LIMITED');
    await setLimits(client, created.id, [hourly(31, 'new')]);
    expect((await verify(pair.second, created.key)).code).toBe('VALID');
    expect((await verify(pair.second, created.key)).code).toBe('RATE_LIMITED');
  });

  it.each([
    ['longer', 60, 600],
    ['shorter', 600, 60],
  ])(
    'a window that SQL made %s under its old name keeps its consumption until that has left it',
    async (_, before, after) => {
      const client = await connect(pair.databaseUrl);
      const id = randomUUID();
      const limits = [{ name: 'a', limit: 10, windowSeconds: before }];
      await insertLimitedKey(client, id, { limits, credits: null, refill: null, createdAt: 0 });
      const spend = async (cost: number, offsetMs: number) =>
        entryOf(await consume(client, [{ key: id, cost }], offsetMs), 0, 1);
      expect(await spend(6, 0)).toMatchObject({ code: 'VALID', units: [4] });
      await setLimits(client, id, [{ name: 'a', limit: 10, windowSeconds: after }]);
      expect(await spend(5, 0)).toMatchObject({ code: 'RATE_LIMITED', units: [4] });
      expect(await spend(1, 0)).toMatchObject({ code: 'VALID', units: [3] });
      const window = after * 1000;
      const slices = window + (2 * Math.max(before, after) * 1000) / 20;
      expect(await spend(5, window - 5000)).toMatchObject({ code: 'RATE_LIMITED', units: [3] });
      expect(await spend(10, slices)).toMatchObject({ code: 'VALID', units: [0] });
    },
  );

  it('no window of a new limit lets more through than it allows, as far back as the consumption is known', async () => {
    const client = await connect(pair.databaseUrl);
    const limit = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      limit: fc.integer({ min: 1, max: 30 }),
      windowSeconds: fc.constantFrom(5, 60, 600),
    });
    const lists = fc.uniqueArray(limit, { selector: ({ name }) => name, minLength: 1 });
    const step = fc.record({
      pause: fc.integer({ min: 0, max: 200_000 }),
      change: fc.option(lists),
      costs: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 }),
    });
    const run = async (first: Limit[], steps: Step[]) => {
      const id = randomUUID();
      const rest = { credits: null, refill: null, createdAt: 0 };
      await insertLimitedKey(client, id, { limits: first, ...rest });
      let known = first.map((one) => ({ ...one, since: 0 }));
      const passed: { at: number; cost: number }[] = [];
      let offset = 0;
      for (const { pause, change, costs } of steps) {
        offset += pause;
        if (change) {
          await setLimits(client, id, change);
          const at = Date.now() + offset;
          await client.query('select align_consumption($1, $2)', [id, at]);
          known = change.map((one) => ({ ...one, since: knownSince(known, one, at) }));
        }
        const entries = costs.map((cost) => ({ key: id, cost }));
        const answer = await consume(client, entries, offset);
        costs.forEach((cost, index) => {
          if (entryOf(answer, index, 0).code !== 'VALID') return;
          const at = answer.times[index] ?? 0;
          passed.push({ at, cost });
          for (const { limit: most, windowSeconds, since } of known) {
            const from = Math.max(since, at - windowSeconds * 1000 + 1);
            const inside = passed.filter((one) => one.at >= from);
            expect(inside.reduce((sum, one) => sum + one.cost, 0)).toBeLessThanOrEqual(most);
          }
        });
      }
    };
    const property = fc.asyncProperty(lists, fc.array(step, { maxLength: 12 }), run);
    await fc.assert(property, { numRuns: 150 });
  });
});

interface Step {
  pause: number;
  change: Limit[] | null;
  costs: number[];
}

/** Since when consumption is known: a longer window cannot know what a shorter one has dropped. */
function knownSince(old: readonly (Limit & { since: number })[], next: Limit, at: number): number {
  const sameName = old.find(({ name }) => name === next.name);
  if (sameName?.windowSeconds === next.windowSeconds) return sameName.since;
  const sameLength = old.find(({ windowSeconds }) => windowSeconds === next.windowSeconds);
  if (sameLength) return sameLength.since;
  return sameName ? Math.max(sameName.since, at - sameName.windowSeconds * 1000) : at;
}
