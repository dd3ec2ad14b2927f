import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HmacKey } from '../../src/domain/hmac-key.ts';
import {
  containsKey,
  generateKey,
  hasValidChecksum,
  KEY_MAX_LENGTH,
  KEY_SCAN_PATTERN,
  MANAGEMENT_PREFIX,
  newId,
  PREFIX_MAX_LENGTH,
  PREFIX_PATTERN,
  parseKey,
} from '../../src/domain/key-string.ts';
import { base62, checksumOf, partsOf } from '../support/forged-key.ts';

const rawKey = new Uint8Array(32).fill(7);
const checksumKey = new HmacKey(rawKey);
const anotherKey = new HmacKey(new Uint8Array(32).fill(8));

const LOWER = 'abcdefghijklmnopqrstuvwxyz'.split('');
const LOWER_OR_DIGIT = [...LOWER, ...'0123456789'.split('')];
const segment = fc
  .tuple(
    fc.constantFrom(...LOWER),
    fc.string({ unit: fc.constantFrom(...LOWER_OR_DIGIT), maxLength: 6 }),
  )
  .map(([first, rest]) => first + rest);
const prefix = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join('_'))
  .filter((text) => text.length <= PREFIX_MAX_LENGTH);
const key = prefix.map((text) => generateKey(text, checksumKey).key);

const isGenuine = (text: string) => parseKey(text) !== null && hasValidChecksum(text, checksumKey);

describe('the key string', () => {
  it('a key string parses into the prefix and ref that it was made of, underscores in the prefix too', () => {
    fc.assert(
      fc.property(prefix, (text) => {
        const generated = generateKey(text, checksumKey);
        expect(parseKey(generated.key)).toEqual({ prefix: text, ref: generated.ref });
        expect(hasValidChecksum(generated.key, checksumKey)).toBe(true);
      }),
    );
  });

  it('a key string is the prefix, an underscore, and 16 + 43 + 6 base62 characters, whatever is drawn', () => {
    fc.assert(
      fc.property(prefix, (text) => {
        const generated = generateKey(text, checksumKey);
        expect(generated.key.slice(0, text.length + 1)).toBe(`${text}_`);
        expect(generated.key.slice(text.length + 1)).toMatch(/^[0-9A-Za-z]{65}$/);
        expect(generated.key.length).toBeLessThanOrEqual(KEY_MAX_LENGTH);
        const { ref, checksum } = partsOf(generated.key);
        expect(ref).toBe(generated.ref);
        expect(checksum).toBe(checksumOf(generated.key.slice(0, -6), rawKey));
      }),
    );
  });

  it('the start of a key string is its prefix and the first six characters of its ref, never of its secret', () => {
    fc.assert(
      fc.property(prefix, (text) => {
        const { start, ref, key: whole } = generateKey(text, checksumKey);
        expect(start).toBe(`${text}_${ref.slice(0, 6)}…`);
        expect(whole.startsWith(start.slice(0, -1))).toBe(true);
        expect(start.slice(0, -1).length).toBeLessThan(whole.length - 49);
      }),
    );
  });

  it('no key string is drawn twice, and the whole alphabet is used evenly', () => {
    const secrets = Array.from({ length: 2000 }, () => partsOf(generateKey('a', checksumKey).key));
    expect(new Set(secrets.map(({ ref }) => ref)).size).toBe(2000);
    expect(new Set(secrets.map(({ secret }) => secret)).size).toBe(2000);
    const drawn = Map.groupBy(secrets.map(({ secret }) => secret).join(''), (char) => char);
    expect(drawn.size).toBe(62);
    // 86,000 draws: 1387 each on average with a deviation of 37; 8 deviations never happen.
    for (const times of drawn.values()) expect(Math.abs(times.length - 1387)).toBeLessThan(300);
  });

  it('a key string carries the checksum of one installation alone', () => {
    fc.assert(fc.property(key, (text) => !hasValidChecksum(text, anotherKey)));
  });
});

describe('a key that was mistyped', () => {
  const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const indexIn = (text: string, at: number) => Math.floor(at * text.length);

  it('a key with one character replaced is refused', () => {
    fc.assert(
      fc.property(key, position, fc.string({ minLength: 1, maxLength: 1 }), (text, at, other) => {
        const i = indexIn(text, at);
        fc.pre(text[i] !== other);
        expect(isGenuine(text.slice(0, i) + other + text.slice(i + 1))).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it('a key with any one character left out or written twice is refused', () => {
    fc.assert(
      fc.property(key, (text) => {
        for (let i = 0; i < text.length; i++) {
          expect(isGenuine(text.slice(0, i) + text.slice(i + 1))).toBe(false);
          expect(isGenuine(text.slice(0, i + 1) + text.slice(i))).toBe(false);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('a key with two adjacent characters exchanged is refused', () => {
    fc.assert(
      fc.property(key, (text) => {
        for (let i = 0; i + 1 < text.length; i++) {
          if (text[i] === text[i + 1]) continue;
          const swapped = text.slice(0, i) + text[i + 1] + text[i] + text.slice(i + 2);
          expect(isGenuine(swapped)).toBe(false);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('a key with the case of any letter, or of all letters, changed is refused', () => {
    fc.assert(
      fc.property(key, (text) => {
        expect(isGenuine(text.toUpperCase())).toBe(false);
        expect(isGenuine(text.toLowerCase())).toBe(false);
        for (let i = 0; i < text.length; i++) {
          const char = text.charAt(i);
          const other = char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase();
          if (other === char) continue;
          expect(isGenuine(text.slice(0, i) + other + text.slice(i + 1))).toBe(false);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('a key with anything before or after it is refused', () => {
    fc.assert(
      fc.property(key, fc.string({ minLength: 1, maxLength: 3 }), (text, more) => {
        expect(isGenuine(text + more)).toBe(false);
        expect(isGenuine(more + text)).toBe(false);
      }),
    );
    const { key: text } = generateKey('ak_live', checksumKey);
    for (const around of [' ', '\n', '\0', '"', '_']) {
      expect(isGenuine(text + around)).toBe(false);
      expect(isGenuine(around + text)).toBe(false);
    }
  });
});

describe('text that is no key', () => {
  it.each([
    ['nothing', ''],
    ['a tail without prefix', base62(65)],
    ['an empty prefix', `_${base62(65)}`],
    ['a prefix that begins with a digit', `1k_${base62(65)}`],
    ['a prefix with two underscores in a row', `ak__live_${base62(65)}`],
    ['a prefix with capitals', `AK_${base62(65)}`],
    ['a prefix that is too long', `${'a'.repeat(25)}_${base62(65)}`],
    ['a short tail', `ak_${base62(64)}`],
    ['a long tail', `ak_${base62(66)}`],
    ['a tail with an underscore', `ak_${base62(32)}_${base62(32)}`],
    ['letters that only look like ASCII', `аk_${base62(65)}`],
  ])('%s is not parsed as a key', (_what, text) => {
    expect(parseKey(text)).toBeNull();
  });

  it('any text can be parsed as a key without an error being thrown', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(isGenuine(text)).toBe(false);
        expect(containsKey(text, checksumKey)).toBe(false);
      }),
    );
  });

  it('a long text is parsed and searched in no time, since neither backtracks', () => {
    const began = performance.now();
    for (const unit of ['a', 'a_', '_', 'a0_', 'Aa', `_${'a'.repeat(64)}`]) {
      const text = unit.repeat(Math.ceil(65_536 / unit.length));
      parseKey(text);
      containsKey(text, checksumKey);
    }
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('a search with a budget for one checksum computes one', () => {
    const candidate = `a_${'0'.repeat(65)} `;
    expect(containsKey(candidate, checksumKey, { checksums: 1 })).toBe(false);
    expect(containsKey(candidate.repeat(2), checksumKey, { checksums: 1 })).toBe(true);
    expect(containsKey(candidate, checksumKey, { checksums: 0 })).toBe(true);
  });

  it('a search computes no more checksums than its budget, and what is left over counts as a key', () => {
    const crafted = `${'a'.repeat(23)}_${'A'.repeat(65)} `;
    expect(containsKey(crafted.repeat(40), checksumKey)).toBe(false);
    expect(containsKey(crafted.repeat(50_000), checksumKey)).toBe(true);
    const budget = { checksums: 50 };
    expect(containsKey(crafted, checksumKey, budget)).toBe(false);
    expect(containsKey(crafted, checksumKey, budget)).toBe(false);
    expect(containsKey(crafted, checksumKey, budget)).toBe(true);
  });

  it('a look-alike whose prefix no key can have costs no checksum', () => {
    const budget = { checksums: 0 };
    const unlike = `a${'_'.repeat(21)}${'A'.repeat(65)} `;
    expect(containsKey(unlike, checksumKey, budget)).toBe(false);
    expect(budget.checksums).toBe(0);
  });

  it('the prefix of management keys is kw', () => {
    expect(MANAGEMENT_PREFIX).toBe('kw');
    expect(generateKey(MANAGEMENT_PREFIX, checksumKey).key).toMatch(/^kw_[0-9A-Za-z]{65}$/);
  });
});

describe('a prefix', () => {
  it.each(['ak', 'ak_live', 'a', 'a1_2b_c', 'sk_test'])('%s is accepted as a prefix', (text) => {
    expect(text).toMatch(new RegExp(PREFIX_PATTERN));
    expect(isGenuine(generateKey(text, checksumKey).key)).toBe(true);
  });
  it.each(['', '_', 'ak_', '_ak', 'ak__live', '1ak', 'AK', 'ak-live', 'ak live', 'ak\n'])(
    '%j is not accepted as a prefix',
    (text) => {
      expect(text).not.toMatch(new RegExp(PREFIX_PATTERN));
    },
  );
});

describe('looking for keys in text', () => {
  const around = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.string({ unit: fc.constantFrom('a', '_', 'Z', '9', 'k'), maxLength: 100 }),
  );

  it('a key is found wherever it stands in a text, also directly beside other characters', () => {
    fc.assert(
      fc.property(around, key, around, (before, text, after) => {
        expect(containsKey(before + text + after, checksumKey)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('a key is found in a JSON string, a URL, a header and beside look-alikes', () => {
    const { key: text } = generateKey('ak_live', checksumKey);
    const lookAlike = `ak_live_${base62(65)}`;
    for (const found of [
      JSON.stringify({ note: `line\n${text}` }),
      `https://example.com/?key=${text}&x=1`,
      `Authorization: Bearer ${text}`,
      `${lookAlike} ${text} ${lookAlike}`,
      `${lookAlike}${text}`,
      `${'a'.repeat(70)}_${text}`,
    ]) {
      expect(containsKey(found, checksumKey)).toBe(true);
    }
  });

  it('a look-alike with the checksum of another installation is not taken for a key', () => {
    fc.assert(
      fc.property(around, prefix, around, (before, text, after) => {
        const { key: foreign } = generateKey(text, anotherKey);
        expect(containsKey(before + foreign + after, checksumKey)).toBe(false);
      }),
    );
  });

  it('the published pattern finds every key inside any text', () => {
    const scan = new RegExp(KEY_SCAN_PATTERN);
    fc.assert(
      fc.property(around, key, around, (before, text, after) => {
        expect(scan.exec(text)?.[0]).toBe(text);
        expect(scan.test(before + text + after)).toBe(true);
        expect(scan.exec(`"${text}"`)?.[0]).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('the published pattern does not match ordinary identifiers and words', () => {
    const scan = new RegExp(KEY_SCAN_PATTERN);
    for (const text of [newId('key'), 'some_snake_case_word', base62(80), `ak_${base62(64)}`]) {
      expect(scan.test(text)).toBe(false);
    }
  });
});
