import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VERDICT_CODES } from '../../src/domain/verdict.ts';
import { OverloadError } from '../../src/lib/overload-error.ts';
import { type UsageBatch, UsageCounters } from '../../src/usage/counters.ts';

const HOUR = 3_600_000;

describe('the counters in memory', () => {
  it('usage is counted separately for each hour, verdict and secret, with the last time of use', () => {
    const counters = new UsageCounters(10);
    const now = 5 * HOUR + 0.25;
    counters.count('key', 'ref', 'VALID', now);
    counters.count('key', 'ref', 'VALID', now + 7);
    counters.count('key', 'ref', 'VALID', now + 3);
    counters.count('key', 'ref', 'VALID', 6 * HOUR - 0.5);
    counters.count('key', 'ref', 'VALID', 6 * HOUR);
    counters.count('key', 'ref', 'REVOKED', now);
    counters.count('key', 'other', 'VALID', now);
    const { counts } = counters.take(10);
    expect(
      counts.map(({ secretRef, code, hour, count }) => [secretRef, code, hour, count]),
    ).toEqual([
      ['ref', 'VALID', 5 * HOUR, 4],
      ['ref', 'VALID', 6 * HOUR, 1],
      ['ref', 'REVOKED', 5 * HOUR, 1],
      ['other', 'VALID', 5 * HOUR, 1],
    ]);
    expect(counts[0]?.lastAt).toBe(6 * HOUR - 0.5);
  });

  it('room that is given back is free again, once, however often it is given back', () => {
    const counters = new UsageCounters(4);
    const giveBack = [counters.reserve(), counters.reserve()];
    expect(() => counters.reserve()).toThrow(OverloadError);
    giveBack[0]?.();
    giveBack[0]?.();
    counters.reserve();
    expect(() => counters.reserve()).toThrow(OverloadError);
  });

  it('a verdict and the use of its caller are counted both or neither, and one that is there needs no room', () => {
    const counters = new UsageCounters(3);
    const caller = { keyId: 'mk', ref: 'caller' };
    counters.count('key', 'ref', 'VALID', 0, caller);
    expect(() => counters.count('key', 'new', 'VALID', 0, { keyId: 'mk', ref: 'too' })).toThrow(
      OverloadError,
    );
    counters.count('key', 'ref', 'REVOKED', 0, caller);
    expect(() => counters.count('key', 'new', 'VALID', 0, caller)).toThrow(OverloadError);
    expect(() => counters.countUnmatched('default', 0, caller)).toThrow(OverloadError);
    counters.count('key', 'ref', 'VALID', 0, caller);
    const { counts } = counters.take(10);
    expect(counts.map(({ secretRef, code, count }) => [secretRef, code, count])).toEqual([
      ['ref', 'VALID', 2],
      ['caller', 'VALID', 3],
      ['ref', 'REVOKED', 1],
    ]);
  });

  it('counters that were taken are frozen: later counts go into new ones', () => {
    const counters = new UsageCounters(10);
    counters.count('key', 'ref', 'VALID', 0);
    const batch = counters.take(10);
    counters.count('key', 'ref', 'VALID', 1);
    expect(batch.counts).toMatchObject([{ count: 1, lastAt: 0 }]);
    expect(counters.take(10).counts).toMatchObject([{ count: 1, lastAt: 1 }]);
    expect(counters.size).toBe(0);
  });

  it('full counters refuse a new one, keep counting in known ones, and drop none', () => {
    const counters = new UsageCounters(2);
    counters.count('key', 'ref', 'VALID', 0);
    counters.countUnmatched('default', 0);
    expect(() => counters.count('key', 'ref', 'REVOKED', 0)).toThrow(OverloadError);
    expect(() => counters.countUnmatched('other', 0)).toThrow(OverloadError);
    counters.count('key', 'ref', 'VALID', 0);
    counters.countUnmatched('default', 0);
    expect(counters.take(10)).toMatchObject({
      counts: [{ code: 'VALID', count: 2 }],
      unmatched: [{ workspaceId: 'default', count: 2 }],
    });
    counters.count('key', 'ref', 'REVOKED', 0);
  });
});

type Step =
  | { what: 'count'; ref: number; code: number; hour: number }
  | { what: 'unmatched'; workspace: number; hour: number }
  | { what: 'take'; most: number };

const small = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ what: fc.constant('count' as const), ref: small, code: small, hour: small }),
  fc.record({ what: fc.constant('unmatched' as const), workspace: small, hour: small }),
  fc.record({ what: fc.constant('take' as const), most: fc.integer({ min: 1, max: 4 }) }),
);

/** A name for each counter. */
function tally(batches: readonly UsageBatch[]): Map<string, number> {
  const sums = new Map<string, number>();
  const add = (name: string, count: number) => sums.set(name, (sums.get(name) ?? 0) + count);
  for (const { counts, unmatched } of batches) {
    for (const { secretRef, code, hour, count } of counts)
      add(`${secretRef} ${code} ${hour}`, count);
    for (const { workspaceId, hour, count } of unmatched) add(`${workspaceId} ${hour}`, count);
  }
  return sums;
}

it('whatever is counted and taken when, what was taken sums up to what was counted', () => {
  fc.assert(
    fc.property(fc.array(step), fc.integer({ min: 1, max: 8 }), (steps, capacity) => {
      const counters = new UsageCounters(capacity);
      const model = new Map<string, number>();
      const batches: UsageBatch[] = [];
      const attempt = (name: string, count: () => void) => {
        try {
          count();
        } catch (error) {
          expect(error).toBeInstanceOf(OverloadError);
          expect(counters.size).toBe(capacity);
          return;
        }
        model.set(name, (model.get(name) ?? 0) + 1);
      };
      for (const next of steps) {
        if (next.what === 'take') batches.push(counters.take(next.most));
        else if (next.what === 'count') {
          const code = VERDICT_CODES[next.code] ?? 'VALID';
          const [ref, now] = [`ref${next.ref}`, next.hour * HOUR + 5];
          attempt(`${ref} ${code} ${next.hour * HOUR}`, () => counters.count('k', ref, code, now));
        } else {
          const [id, now] = [`ws${next.workspace}`, next.hour * HOUR + 5];
          attempt(`${id} ${next.hour * HOUR}`, () => counters.countUnmatched(id, now));
        }
        expect(counters.size).toBeLessThanOrEqual(capacity);
      }
      batches.push(counters.take(100));
      expect(tally(batches)).toEqual(model);
    }),
  );
});
