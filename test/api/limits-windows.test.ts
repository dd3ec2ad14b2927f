import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { callConcurrently, usePair } from '../support/pair.ts';
import { createKey, verify } from '../support/sql-keys.ts';
import { type Decision, recordDecisions } from '../support/statements.ts';

const WINDOW_MS = 60_000;
const SLICE_MS = WINDOW_MS / 20;
const LIMIT = 50;
const rateLimits = [{ name: 'per-minute', limit: LIMIT, windowSeconds: 60 }];

describe('a limit of 50 in 60 seconds, over two instances', () => {
  const pair = usePair();
  let decided: Decision[] = [];

  beforeAll(() => {
    for (const { service } of [pair.first, pair.second]) {
      recordDecisions(service.internals.database, (one) => decided.push(one));
    }
  });

  /** The most that passed in any interval of this length. */
  const most = (ms: number) => {
    const times = decided.filter(({ passed }) => passed).map(({ at }) => at);
    times.sort((a, b) => a - b);
    let from = 0;
    return times.reduce((max, at, to) => {
      while ((times[from] ?? at) <= at - ms) from++;
      return Math.max(max, to - from + 1);
    }, 0);
  };
  const passedSince = (at: number) => decided.filter((one) => one.passed && one.at > at).length;
  const countCodes = async (calls: number, key: string) => {
    const answers = await callConcurrently(pair, calls, (instance) => verify(instance, key));
    return answers.filter(({ body }) => body.code === 'VALID').length;
  };

  it('a limit of 50 lets exactly 50 of 400 concurrent calls through', async () => {
    decided = [];
    const { key } = await createKey(pair.first, { rateLimits });
    expect(await countCodes(400, key)).toBe(LIMIT);
    expect(decided.filter(({ passed }) => passed)).toHaveLength(LIMIT);
  });

  it('a limit of 50 never lets more than 50 through in any 60 seconds, and denies none without need', async () => {
    const steps = fc.array(
      fc.record({
        pause: fc.oneof(
          fc.integer({ min: 0, max: 2 * SLICE_MS }),
          fc.integer({ min: 0, max: WINDOW_MS + SLICE_MS }),
          fc.constantFrom(SLICE_MS, WINDOW_MS, WINDOW_MS - 1, WINDOW_MS + SLICE_MS),
        ),
        calls: fc.integer({ min: 1, max: 40 }),
      }),
      { minLength: 20, maxLength: 30 },
    );
    const run = async (all: { pause: number; calls: number }[]) => {
      decided = [];
      const { key } = await createKey(pair.first, { rateLimits });
      for (const { pause, calls } of all) {
        pair.advance(pause);
        const before = passedSince(0);
        const passed = await countCodes(calls, key);
        expect(passedSince(0) - before).toBe(passed);
        const last = Math.max(...decided.map(({ at }) => at));
        // A denied call found the limit consumed within the window and one more slice.
        if (passed < calls) {
          expect(passedSince(last - WINDOW_MS - SLICE_MS)).toBeGreaterThanOrEqual(LIMIT);
        }
      }
      expect(most(WINDOW_MS)).toBeLessThanOrEqual(LIMIT);
    };
    await fc.assert(fc.asyncProperty(steps, run), { numRuns: 6 });
  });

  it('a limit of 50 holds with 400 concurrent calls on each side of a slice border', async () => {
    decided = [];
    const { key } = await createKey(pair.first, { rateLimits });
    await verify(pair.first, key);
    let now = decided[0]?.at ?? 0;
    for (const slices of [1, 19, 20, 21, 1, 20, 21]) {
      const border = (Math.floor(now / SLICE_MS) + slices) * SLICE_MS;
      pair.advance(border - now - 60);
      await countCodes(200, key);
      pair.advance(120);
      await countCodes(200, key);
      now = Math.max(border + 60, ...decided.map(({ at }) => at));
    }
    expect(most(WINDOW_MS)).toBe(LIMIT);
  });

  it('a consumed unit is free again at most one slice after the end of its window', async () => {
    decided = [];
    const one = [{ name: 'one', limit: 1, windowSeconds: 60 }];
    const { key } = await createKey(pair.first, { rateLimits: one });
    await verify(pair.first, key);
    const spentAt = decided[0]?.at ?? 0;
    const denied = (await verify(pair.second, key)).body;
    const resetAt = Date.parse(denied.rateLimits[0].resetAt);
    expect(resetAt - spentAt).toBeGreaterThan(WINDOW_MS);
    expect(resetAt - spentAt).toBeLessThanOrEqual(WINDOW_MS + SLICE_MS);
    pair.advance(resetAt - spentAt - 1500);
    expect((await verify(pair.first, key)).body.code).toBe('RATE_LIMITED');
    pair.advance(1500);
    expect((await verify(pair.first, key)).body.code).toBe('VALID');
  });
});
