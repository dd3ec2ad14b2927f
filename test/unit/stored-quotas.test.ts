import { describe, expect, it } from 'vitest';
import { rateLimitStatus, SLICES, sliceMs, toRateLimits } from '../../src/domain/limits.ts';
import { balanceAt, type Refill, refilledAt, toRefill } from '../../src/domain/refill.ts';

const NOON = Date.UTC(2030, 5, 15, 12);
const MIDNIGHT = Date.UTC(2030, 5, 15);
const daily: Refill = { interval: 'daily', amount: 10, dayOfMonth: null };

describe('limits and refills as they are stored', () => {
  it('the limits of a key are read from three arrays, position by position', () => {
    expect(toRateLimits(['a', 'b'], [5, 0], [60, 3600])).toEqual([
      { name: 'a', limit: 5, windowSeconds: 60 },
      { name: 'b', limit: 0, windowSeconds: 3600 },
    ]);
    expect(toRateLimits([], [], [])).toEqual([]);
  });

  it('a limit whose numbers are missing lets nothing through', () => {
    expect(toRateLimits(['a'], [], [])).toEqual([{ name: 'a', limit: 0, windowSeconds: 1 }]);
  });

  it('a slice is a twentieth of its window', () => {
    expect(sliceMs({ name: 'a', limit: 1, windowSeconds: 60 })).toBe(3000);
    expect(SLICES).toBe(21);
  });

  it('a limit that was exceeded after it went down has nothing left, never less', () => {
    const limit = { name: 'a', limit: 2, windowSeconds: 60 };
    const newestSlice = Math.floor(NOON / 3000);
    const counts = Array.from({ length: SLICES }, (_, i) => (i === newestSlice % SLICES ? 5 : 0));
    expect(rateLimitStatus(limit, { newestSlice, counts }, NOON)).toEqual({
      ...limit,
      remaining: 0,
      resetAt: (newestSlice + SLICES) * 3000,
    });
  });

  it('what was consumed a moment ahead of this clock counts', () => {
    const limit = { name: 'a', limit: 5, windowSeconds: 60 };
    const newestSlice = Math.floor(NOON / 3000) + 2;
    const counts = Array.from({ length: SLICES }, (_, i) => (i === newestSlice % SLICES ? 3 : 0));
    const { remaining, resetAt } = rateLimitStatus(limit, { newestSlice, counts }, NOON);
    expect({ remaining, resetAt }).toEqual({
      remaining: 2,
      resetAt: (newestSlice + SLICES) * 3000,
    });
  });

  it('a refill is read from its columns, and there is none without an interval', () => {
    const none = { refillInterval: null, refillAmount: null, refillDay: null };
    expect(toRefill(none)).toBeNull();
    expect(toRefill({ ...none, refillAmount: 5, refillDay: 3 })).toBeNull();
    expect(toRefill({ refillInterval: 'monthly', refillAmount: 5, refillDay: 3 })).toEqual({
      interval: 'monthly',
      amount: 5,
      dayOfMonth: 3,
    });
    expect(toRefill({ ...none, refillInterval: 'daily' })?.amount).toBe(0);
  });
});

describe('a stored balance', () => {
  it('a balance that no refill has reached is what is stored, and 0 where nothing is', () => {
    expect(balanceAt(null, { credits: 7, refilledMs: 0 }, NOON)).toBe(7);
    expect(balanceAt(null, { credits: null, refilledMs: 0 }, NOON)).toBe(0);
    expect(balanceAt(daily, { credits: 7, refilledMs: MIDNIGHT }, NOON)).toBe(7);
    expect(balanceAt(daily, { credits: 7, refilledMs: NOON }, NOON)).toBe(7);
    expect(balanceAt(daily, { credits: null, refilledMs: NOON }, NOON)).toBe(0);
  });

  it('a balance from before the last due time is the amount of the refill, also where more is stored', () => {
    expect(balanceAt(daily, { credits: 7, refilledMs: MIDNIGHT - 1 }, NOON)).toBe(10);
    expect(balanceAt(daily, { credits: 70, refilledMs: MIDNIGHT - 1 }, NOON)).toBe(10);
    expect(balanceAt(daily, { credits: 7, refilledMs: 0 }, MIDNIGHT)).toBe(10);
  });

  it('a balance was last refilled at the last due time, or later where it is known to be', () => {
    expect(refilledAt(daily, { credits: 1, refilledMs: 0 }, NOON)).toBe(MIDNIGHT);
    expect(refilledAt(daily, { credits: 1, refilledMs: NOON }, NOON)).toBe(NOON);
    expect(refilledAt(null, { credits: 1, refilledMs: 5 }, NOON)).toBe(5);
    expect(refilledAt(daily, { credits: 1, refilledMs: 0 }, MIDNIGHT + 0.9)).toBe(MIDNIGHT);
  });
});
