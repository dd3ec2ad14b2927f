import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastRefill, nextRefill, type Refill } from '../../src/domain/refill.ts';
import { naiveLastRefill, naiveNextRefill } from '../support/limits-model.ts';

const monthly = (dayOfMonth: number): Refill => ({ interval: 'monthly', amount: 10, dayOfMonth });
const daily: Refill = { interval: 'daily', amount: 10, dayOfMonth: null };
const at = (text: string) => Date.parse(text);

const refills = fc.oneof(fc.constant(daily), fc.integer({ min: 1, max: 31 }).map(monthly));
/** Any time, often at or close to midnight at the end of a month, in leap years too. */
const times = fc.oneof(
  fc.integer({ min: at('1999-01-01T00:00:00Z'), max: at('2105-01-01T00:00:00Z') }),
  fc
    .tuple(
      fc.integer({ min: 1996, max: 2104 }),
      fc.integer({ min: 0, max: 11 }),
      fc.integer({ min: -3, max: 3 }),
      fc.integer({ min: -2, max: 2 }),
    )
    .map(([year, month, day, ms]) => Date.UTC(year, month, 1 + day) + ms),
);

describe('refill dates', () => {
  it('refill dates are those that a calendar walked day by day gives', () => {
    fc.assert(
      fc.property(refills, times, (refill, now) => {
        expect(lastRefill(refill, now)).toBe(naiveLastRefill(refill, now));
        expect(nextRefill(refill, now)).toBe(naiveNextRefill(refill, now));
      }),
      { numRuns: 3000 },
    );
  });

  it('the next refill after the last one is the next refill, and none is due between', () => {
    fc.assert(
      fc.property(refills, times, (refill, now) => {
        const [last, next] = [lastRefill(refill, now), nextRefill(refill, now)];
        expect(last <= now && now < next).toBe(true);
        expect(nextRefill(refill, last)).toBe(next);
        expect(lastRefill(refill, next - 1)).toBe(last);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['2027-02-14T23:59:59.999Z', '2027-02-14T00:00:00Z', '2027-02-15T00:00:00Z'],
    ['2027-02-15T00:00:00.000Z', '2027-02-15T00:00:00Z', '2027-02-16T00:00:00Z'],
    ['2027-02-15T00:00:00.001Z', '2027-02-15T00:00:00Z', '2027-02-16T00:00:00Z'],
  ])('of a daily refill, at %s, were due %s and will be %s', (now, last, next) => {
    expect(lastRefill(daily, at(now))).toBe(at(last));
    expect(nextRefill(daily, at(now))).toBe(at(next));
  });

  it.each([
    [15, '2027-02-14T23:59:59.999Z', '2027-01-15T00:00:00Z', '2027-02-15T00:00:00Z'],
    [15, '2027-02-15T00:00:00.000Z', '2027-02-15T00:00:00Z', '2027-03-15T00:00:00Z'],
    [31, '2027-02-27T23:59:59.999Z', '2027-01-31T00:00:00Z', '2027-02-28T00:00:00Z'],
    [31, '2027-02-28T00:00:00.000Z', '2027-02-28T00:00:00Z', '2027-03-31T00:00:00Z'],
    [31, '2027-02-15T10:00:00Z', '2027-01-31T00:00:00Z', '2027-02-28T00:00:00Z'],
    [31, '2028-02-29T00:00:00Z', '2028-02-29T00:00:00Z', '2028-03-31T00:00:00Z'],
    [30, '2028-02-28T23:59:59Z', '2028-01-30T00:00:00Z', '2028-02-29T00:00:00Z'],
    [29, '2027-03-01T00:00:00Z', '2027-02-28T00:00:00Z', '2027-03-29T00:00:00Z'],
    [31, '2027-04-30T00:00:00Z', '2027-04-30T00:00:00Z', '2027-05-31T00:00:00Z'],
    [1, '2027-12-31T23:59:59Z', '2027-12-01T00:00:00Z', '2028-01-01T00:00:00Z'],
    [29, '2100-02-28T12:00:00Z', '2100-02-28T00:00:00Z', '2100-03-29T00:00:00Z'],
  ])('refills on day %i, at %s, were due %s and will be %s', (day, now, last, next) => {
    expect(lastRefill(monthly(day), at(now))).toBe(at(last));
    expect(nextRefill(monthly(day), at(now))).toBe(at(next));
  });
});
