import { expect, it } from 'vitest';
import { SharedBound } from '../../src/lib/shared-bound.ts';

it('one group of a shared bound uses no more than its share, and leaves the rest to others', () => {
  const bound = new SharedBound(8, 0.75);
  const release = bound.take('a', 5);
  expect([bound.hasRoom('a', 1), bound.hasRoom('a', 2)]).toEqual([true, false]);
  expect([bound.hasRoom('b', 3), bound.hasRoom('b', 4)]).toEqual([true, false]);
  release();
  expect(bound.hasRoom('a', 6)).toBe(true);
  expect(bound.resourceLimit('items', 1).used()).toBe(0);
});

it('a shared bound has no room for anyone once all of it is used', () => {
  const bound = new SharedBound(4);
  const releases = [bound.take('a', 2), bound.take('b', 2)];
  expect(['a', 'b', 'c'].map((group) => bound.isFull(group))).toEqual([true, true, true]);
  for (const release of releases) release();
  expect(bound.isFull('c')).toBe(false);
});

it('what one group takes beyond its share is not taken from the others', () => {
  const bound = new SharedBound(10);
  const giveBack = [bound.take('greedy', 4), bound.take('greedy', 30)];
  expect([bound.isFull('greedy'), bound.hasRoom('other', 5)]).toEqual([true, true]);
  const other = bound.take('other', 5);
  expect(bound.isFull('third')).toBe(true);
  for (const give of giveBack) give();
  expect(bound.hasRoom('greedy', 5)).toBe(true);
  other();
  expect(bound.resourceLimit('all', 1).used()).toBe(0);
});
