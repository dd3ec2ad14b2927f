import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HmacKey } from '../../src/domain/hmac-key.ts';
import { generateKey } from '../../src/domain/key-string.ts';
import { RollingHash } from '../../src/domain/rolling-hash.ts';
import { RootKey } from '../../src/domain/root-key.ts';
import { KeyDetector } from '../../src/http/key-detector.ts';

const ROOT_KEY = 'root-key-of-the-tests-0123456789abcdef';
const checksumKey = new HmacKey(new Uint8Array(32).fill(7));
const detector = new KeyDetector(checksumKey, new RootKey(ROOT_KEY));
const native = generateKey('ak_live', checksumKey).key;

describe('the search for keys', () => {
  it.each([
    ['alone', ROOT_KEY],
    ['after a newline and before a tab', `x\n${ROOT_KEY}\ty`],
    ['glued to characters of its own alphabet', `abc-${ROOT_KEY}0123`],
    ['after most of itself', `${ROOT_KEY.slice(0, -1)}${ROOT_KEY}`],
    ['at the end of a long text', `${'r'.repeat(5000)}${ROOT_KEY}`],
  ])('the root key is found %s', (_, text) => {
    expect(detector.isContainedIn(text)).toBe(true);
  });

  it.each([
    ['a text', (key: string) => ({ name: key })],
    ['a name', (key: string) => ({ metadata: { [`a${key}`]: 1 } })],
    ['a list within a list', (key: string) => [[{ a: ['b', `${key}z`] }]]],
    ['a text after a newline', (key: string) => [`a\n${key}`]],
  ])('the root key and native keys are found in %s of a value', (_, valueWith) => {
    expect(detector.isContainedIn(valueWith(ROOT_KEY))).toBe(true);
    expect(detector.isContainedIn(valueWith(native))).toBe(true);
    expect(detector.isContainedIn(valueWith('nothing of that kind'))).toBe(false);
  });

  it('a native key is found between letters and digits that could belong to it', () => {
    expect(detector.isContainedIn(`nnn${native}zzz`)).toBe(true);
    expect(detector.isContainedIn(`a_b_${native}`)).toBe(true);
  });

  it('nothing is found that only resembles the root key, or is split over two texts', () => {
    expect(detector.isContainedIn(ROOT_KEY.slice(1))).toBe(false);
    expect(detector.isContainedIn(ROOT_KEY.toUpperCase())).toBe(false);
    expect(detector.isContainedIn([ROOT_KEY.slice(0, 20), ROOT_KEY.slice(20)])).toBe(false);
  });

  it('without a root key only native keys are looked for', () => {
    const other = new KeyDetector(checksumKey, null);
    expect(other.isContainedIn([ROOT_KEY])).toBe(false);
    expect(other.isContainedIn([native])).toBe(true);
  });

  it('the rolling hash finds every window that equals a text, whatever the base is', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '\u00e9') });
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), text, text, text, (base, before, wanted, after) => {
        fc.pre(wanted.length > 0);
        const rolling = new RollingHash(wanted.length, base);
        const whole = (before + wanted + after).slice(0, 200);
        fc.pre(whole.length === (before + wanted + after).length);
        const found = rolling.matches(whole, rolling.of(wanted));
        const first = whole.indexOf(wanted);
        expect(found.length === 16 || found.includes(before.length)).toBe(true);
        expect(found[0]).toBeLessThanOrEqual(first);
      }),
    );
  });
});
