import { expect, it } from 'vitest';
import { endWithin, toIso } from '../../src/domain/time.ts';

const early = new Date('2030-01-01T00:00:00.000Z');
const late = new Date('2030-01-01T00:00:00.001Z');

it.each([
  ['the earlier of both', early, late, early],
  ['the limit where it comes earlier', late, early, early],
  ['itself where both are the same', early, new Date(early), early],
  ['itself without a limit', late, null, late],
  ['no end without an end, whatever the limit', null, early, null],
  ['no end without either', null, null, null],
])('an end within a limit is %s', (_what, end, limit, expected) => {
  expect(endWithin(end, limit)).toEqual(expected);
});

it('a time is written as RFC 3339 in UTC with milliseconds, and no time stays null', () => {
  expect(toIso(late)).toBe('2030-01-01T00:00:00.001Z');
  expect(toIso(late.getTime())).toBe('2030-01-01T00:00:00.001Z');
  expect(toIso(0)).toBe('1970-01-01T00:00:00.000Z');
  expect(toIso(null)).toBeNull();
});
