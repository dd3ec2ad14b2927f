import { expect, it } from 'vitest';
import { TokenBuckets } from '../../src/lib/token-buckets.ts';

function bucketsAt(start: number) {
  const clock = { now: start };
  return { clock, buckets: new TokenBuckets(() => clock.now) };
}

it('a bucket begins with the tokens of one second, and refills with time up to as many', () => {
  const { clock, buckets } = bucketsAt(1000);
  const take = (amount: number) => buckets.take([{ id: 'a', perSecond: 10 }], amount);
  expect([take(10), take(1)]).toEqual([true, false]);
  clock.now += 100;
  expect([take(1), take(1)]).toEqual([true, false]);
  clock.now += 60_000;
  expect([take(11), take(10), take(1)]).toEqual([false, true, false]);
});

it('fractions of a token add up, however often a bucket is asked meanwhile', () => {
  const { clock, buckets } = bucketsAt(0);
  const take = () => buckets.take([{ id: 'a', perSecond: 1 }], 1);
  expect(take()).toBe(true);
  for (let step = 1; step < 8; step++) {
    clock.now += 125;
    expect(take()).toBe(false);
  }
  clock.now += 125;
  expect(take()).toBe(true);
});

it('of several buckets either all give their tokens, or none does', () => {
  const { buckets } = bucketsAt(0);
  const own = { id: 'own', perSecond: 5 };
  const shared = { id: 'shared', perSecond: 2 };
  expect(buckets.take([own, shared], 3)).toBe(false);
  expect(buckets.take([own], 5)).toBe(true);
  expect(buckets.take([own, shared], 1)).toBe(false);
  expect(buckets.take([shared], 2)).toBe(true);
});

it('a maximum that is lowered holds at once, and one that is raised fills up with time', () => {
  const { clock, buckets } = bucketsAt(0);
  const take = (perSecond: number, amount: number) =>
    buckets.take([{ id: 'a', perSecond }], amount);
  expect(take(100, 1)).toBe(true);
  expect([take(2, 3), take(2, 2)]).toEqual([false, true]);
  expect(take(100, 1)).toBe(false);
  clock.now += 1000;
  expect(take(100, 100)).toBe(true);
});

it('a clock that is set back adds no tokens and takes none away', () => {
  const { clock, buckets } = bucketsAt(10_000);
  const take = (amount: number) => buckets.take([{ id: 'a', perSecond: 4 }], amount);
  expect(take(2)).toBe(true);
  clock.now = 0;
  expect([take(2), take(1)]).toEqual([true, false]);
  clock.now += 250;
  expect([take(1), take(1)]).toEqual([true, false]);
});

it('buckets are kept up to a documented number, those used last', () => {
  const { buckets } = bucketsAt(0);
  const limit = buckets.resourceLimit('rates');
  const take = (id: string) => buckets.take([{ id, perSecond: 1 }], 1);
  expect(take('busy')).toBe(true);
  for (let n = 0; n < 2 * limit.max; n++) {
    take(`other-${n}`);
    if (n % 1000 === 0) expect(take('busy')).toBe(false);
  }
  expect(limit.used()).toBe(limit.max);
});

it('tokens that are given back may be taken again, and no bucket holds more than those of one second', () => {
  const { buckets } = bucketsAt(0);
  const rates = [
    { id: 'own', perSecond: 5 },
    { id: 'shared', perSecond: 8 },
  ];
  expect(buckets.take(rates, 5)).toBe(true);
  buckets.giveBack(rates, 3);
  expect([buckets.take(rates, 4), buckets.take(rates, 3)]).toEqual([false, true]);
  buckets.giveBack(rates, 100);
  expect([buckets.take(rates, 6), buckets.take(rates, 5), buckets.take(rates, 1)]).toEqual([
    false,
    true,
    false,
  ]);
});
