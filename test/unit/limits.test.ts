import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type RateLimit,
  rateLimitStatus,
  SLICES,
  type StoredWindow,
  sliceMs,
} from '../../src/domain/limits.ts';
import { KeyModel } from '../support/limits-model.ts';

const START = Date.UTC(2027, 0, 1);

/** A ring buffer as in the database, with everything that was consumed at its times. */
function ringOf(
  limit: RateLimit,
  spendings: readonly { at: number; cost: number }[],
): StoredWindow {
  const counts = Array.from({ length: SLICES }, () => 0);
  let newestSlice = 0;
  for (const { at, cost } of spendings) {
    const slice = Math.floor(at / sliceMs(limit));
    for (let n = Math.max(newestSlice + 1, slice - 20); n <= slice; n++) counts[n % SLICES] = 0;
    newestSlice = slice;
    counts[slice % SLICES] = (counts[slice % SLICES] ?? 0) + cost;
  }
  return { newestSlice, counts };
}

const limits = fc.record({
  name: fc.constant('a'),
  limit: fc.integer({ min: 0, max: 60 }),
  windowSeconds: fc.constantFrom(1, 3, 60, 3600, 2_592_000),
});
/** Pauses in fiftieths of the window, so that slices and windows pass often. */
const steps = fc.array(
  fc.record({ pause: fc.integer({ min: 0, max: 60 }), cost: fc.integer({ min: 0, max: 20 }) }),
  { maxLength: 30 },
);

describe('the status of a rate limit', () => {
  it('the status of a rate limit is what a log of all consumption says, at any later time', () => {
    fc.assert(
      fc.property(limits, steps, fc.integer({ min: 0, max: 120 }), (limit, all, later) => {
        const model = new KeyModel([limit], null, null, START);
        const spendings: { at: number; cost: number }[] = [];
        let now = START;
        for (const { pause, cost } of all) {
          now += pause * limit.windowSeconds * 20 + 7;
          if (model.consumeAll([cost], now)[0]?.code === 'VALID') spendings.push({ at: now, cost });
        }
        now += later * limit.windowSeconds * 20;
        const [expected] = model.consumeAll([0], now);
        const stands = rateLimitStatus(limit, ringOf(limit, spendings), now);
        expect([stands.remaining]).toEqual(expected?.units);
        expect([stands.resetAt]).toEqual(expected?.resets);
      }),
      { numRuns: 1000 },
    );
  });

  it('a rate limit counts a unit for at least the window, and at most a twentieth longer', () => {
    fc.assert(
      fc.property(limits, fc.integer({ min: 0, max: 10 ** 10 }), ({ windowSeconds }, ms) => {
        const limit = { name: 'a', limit: 1, windowSeconds };
        const spentAt = START + ms;
        const { resetAt } = rateLimitStatus(
          limit,
          ringOf(limit, [{ at: spentAt, cost: 1 }]),
          spentAt,
        );
        const counted = (resetAt ?? 0) - spentAt;
        expect(counted).toBeGreaterThan(windowSeconds * 1000);
        expect(counted).toBeLessThanOrEqual(windowSeconds * 1050);
      }),
    );
  });

  it('a rate limit is unused before anything was consumed', () => {
    const limit = { name: 'a', limit: 5, windowSeconds: 60 };
    expect(rateLimitStatus(limit, null, START)).toEqual({ ...limit, remaining: 5, resetAt: null });
  });
});
