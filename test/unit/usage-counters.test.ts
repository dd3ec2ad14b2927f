import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VERDICT_CODES } from '../../src/domain/verdict.ts';
import { OverloadError } from '../../src/lib/overload-error.ts';
import { type UsageBatch, UsageCounters } from '../../src/usage/counters.ts';
import { MIXED_SHARD, shardOf } from '../../src/usage/shards.ts';

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
    const counts = counters.take().flatMap((batch) => batch.counts);
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

  it('a counter keeps the client of its last VALID use alone, by the time of the use', () => {
    const counters = new UsageCounters(10);
    const said = (name: string) => ({ ip: name, userAgent: name });
    const count = (code: 'VALID' | 'REVOKED', now: number, client = {}) =>
      counters.count('key', 'ref', code, now, { keyId: 'mk', ref: 'caller' }, 1, client);
    count('VALID', 5, said('first'));
    count('VALID', 9, said('last'));
    count('VALID', 7, said('late'));
    count('REVOKED', 8, said('denied'));
    const clients = () =>
      counters
        .take()
        .flatMap((batch) => batch.counts)
        .map(({ secretRef, code, ip, userAgent, lastAt }) => [
          `${secretRef} ${code}`,
          [ip, userAgent, lastAt],
        ]);
    expect(Object.fromEntries(clients())).toEqual({
      'ref VALID': ['last', 'last', 9],
      'ref REVOKED': [undefined, undefined, 8],
      'caller VALID': [undefined, undefined, 9],
    });
    count('VALID', 10, said('known'));
    count('VALID', 11);
    expect(Object.fromEntries(clients())).toMatchObject({
      'ref VALID': [undefined, undefined, 11],
    });
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
    const counts = counters.take().flatMap((batch) => batch.counts);
    expect(
      Object.fromEntries(
        counts.map(({ secretRef, code, count }) => [`${secretRef} ${code}`, count]),
      ),
    ).toEqual({ 'ref VALID': 2, 'caller VALID': 3, 'ref REVOKED': 1 });
  });

  it('counters that were taken are frozen: later counts go into new ones', () => {
    const counters = new UsageCounters(10);
    counters.count('key', 'ref', 'VALID', 0);
    const first = counters.take();
    counters.count('key', 'ref', 'VALID', 1);
    expect(first).toMatchObject([{ counts: [{ count: 1, lastAt: 0 }] }]);
    const second = counters.take();
    expect(second).toMatchObject([{ counts: [{ count: 1, lastAt: 1 }] }]);
    expect(counters.take()).toEqual([]);
    expect(counters.size).toBe(2);
    for (const batch of [...first, ...second]) counters.release(batch);
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
    const [batch] = counters.take();
    expect(batch).toMatchObject({
      counts: [{ code: 'VALID', count: 2 }],
      unmatched: [{ workspaceId: 'default', count: 2 }],
    });
    expect(() => counters.count('key', 'ref', 'REVOKED', 0)).toThrow(OverloadError);
    if (batch) counters.release(batch);
    counters.count('key', 'ref', 'REVOKED', 0);
  });

  it('units are what the verifications of a counter cost together', () => {
    const counters = new UsageCounters(10);
    for (const units of [1, 0, 5]) counters.count('key', 'ref', 'VALID', 0, null, units);
    counters.count('key', 'ref', 'REVOKED', 0);
    const units = counters.take().flatMap(({ counts }) => counts.map((count) => count.units));
    expect(units).toEqual([6, 0]);
  });

  it('few counters are taken as one batch, and many as batches of one shard of keys each', () => {
    const counters = new UsageCounters(10_000);
    for (let key = 0; key < 100; key++) counters.count(`key_${key}`, `ref${key}`, 'VALID', 0);
    const few = counters.take();
    expect(few.map(({ shard, counts }) => [shard, counts.length])).toEqual([[MIXED_SHARD, 100]]);
    for (let key = 0; key < 5000; key++) counters.count(`key_${key}`, `ref${key}`, 'VALID', 0);
    counters.countUnmatched('default', 0);
    const many = counters.take();
    for (const { shard, counts } of many) {
      expect(counts.length).toBeLessThanOrEqual(700);
      expect(counts.every(({ keyId }) => shardOf(keyId) === shard)).toBe(true);
    }
    expect(many.reduce((sum, { counts }) => sum + counts.length, 0)).toBe(5000);
    expect(many.filter(({ shard }) => shard === MIXED_SHARD)).toMatchObject([
      { counts: [], unmatched: [{ count: 1 }] },
    ]);
  });
});

type Step =
  | { what: 'count'; ref: number; code: number; hour: number }
  | { what: 'unmatched'; workspace: number; hour: number }
  | { what: 'take'; written: boolean };

const small = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ what: fc.constant('count' as const), ref: small, code: small, hour: small }),
  fc.record({ what: fc.constant('unmatched' as const), workspace: small, hour: small }),
  fc.record({ what: fc.constant('take' as const), written: fc.boolean() }),
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
        if (next.what === 'take') {
          const taken = counters.take();
          batches.push(...taken);
          if (next.written) taken.forEach((batch) => void counters.release(batch));
        } else if (next.what === 'count') {
          const code = VERDICT_CODES[next.code] ?? 'VALID';
          const [ref, now] = [`ref${next.ref}`, next.hour * HOUR + 5];
          attempt(`${ref} ${code} ${next.hour * HOUR}`, () => counters.count('k', ref, code, now));
        } else {
          const [id, now] = [`ws${next.workspace}`, next.hour * HOUR + 5];
          attempt(`${id} ${next.hour * HOUR}`, () => counters.countUnmatched(id, now));
        }
        expect(counters.size).toBeLessThanOrEqual(capacity);
      }
      batches.push(...counters.take());
      expect(tally(batches)).toEqual(model);
    }),
  );
});
