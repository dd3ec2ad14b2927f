import { expect, it } from 'vitest';
import { isTooLarge } from '../../src/domain/stored-size.ts';

const BYTES = 57_344;
const AROUND = Buffer.byteLength('{"a":""}');

it('what is stored may have 57,344 bytes as JSON, and not one more', () => {
  expect(isTooLarge({ a: 'x'.repeat(BYTES - AROUND) })).toBe(false);
  expect(isTooLarge({ a: 'x'.repeat(BYTES - AROUND + 1) })).toBe(true);
});

it('the size of what is stored is counted in bytes, not in characters', () => {
  const half = (BYTES - AROUND) / 2;
  expect(isTooLarge({ a: 'é'.repeat(half) })).toBe(false);
  expect(isTooLarge({ a: 'é'.repeat(half + 1) })).toBe(true);
});
