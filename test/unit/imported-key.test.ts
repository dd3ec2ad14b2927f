import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  importedDigest,
  importedDigests,
  isImportedDigest,
  isImportedRef,
  lookupRef,
  lookupsOf,
  nextRef,
  parseDigest,
} from '../../src/domain/imported-key.ts';

const algorithms = fc.constantFrom('sha256' as const, 'sha512' as const);

describe('the digest of an imported key', () => {
  it('a digest is the same in hex, base64 and base64url, padded or not', () => {
    fc.assert(
      fc.property(algorithms, fc.string(), (algorithm, key) => {
        const digest = importedDigest(algorithm, key);
        const hex = hash(algorithm, key, 'hex');
        const base64 = hash(algorithm, key, 'base64');
        const url = hash(algorithm, key, 'base64url');
        const padded = url.padEnd(base64.length, '=');
        const forms = [hex, hex.toUpperCase(), base64, base64.replace(/=+$/, ''), url, padded];
        for (const form of forms) expect(parseDigest(algorithm, form)).toBe(digest);
      }),
    );
  });

  it('a digest is refused if no encoder can have written it, or if it is of the other algorithm', () => {
    fc.assert(
      fc.property(algorithms, fc.string(), fc.nat(200), (algorithm, key, place) => {
        const base64 = hash(algorithm, key, 'base64');
        const other = algorithm === 'sha256' ? 'sha512' : 'sha256';
        const wrong = [
          base64.slice(0, place % base64.replace(/=+$/, '').length),
          `${base64}A`,
          ` ${base64}`,
          `${base64}\n`,
          base64.replace(/.(=*)$/, '!$1'),
          hash(algorithm, key, 'hex').replace(/.$/, 'g'),
          hash(algorithm, key, 'hex').replace(/^./, 'g'),
          hash(algorithm, key, 'hex').replace(/^./, '\u0660'),
          `${hash(algorithm, key, 'hex').slice(1)}\n`,
          hash(other, key, 'hex'),
          hash(other, key, 'base64'),
        ];
        for (const value of wrong) expect(parseDigest(algorithm, value)).toBeNull();
      }),
    );
  });

  it('a digest is refused if unused bits are set, since then it was mistyped', () => {
    const base64 = Buffer.alloc(32).toString('base64');
    expect(parseDigest('sha256', base64)).not.toBeNull();
    expect(parseDigest('sha256', base64.replace('A=', 'B='))).toBeNull();
  });

  it('an imported secret counts as rehashed once something other than the digest is stored', () => {
    const hash = importedDigest('sha256', 'a key');
    const ref = lookupRef(hash, 'acme');
    expect(isImportedDigest({ ref, hash })).toBe(true);
    expect(isImportedDigest({ ref: nextRef(ref), hash })).toBe(true);
    expect(isImportedDigest({ ref, hash: '$argon2id$v=19$…' })).toBe(false);
    expect(isImportedDigest({ ref, hash: importedDigest('sha256', 'another key') })).toBe(false);
  });

  it('a hash that equals its ref is no imported digest, nor is one whose ref has another form', () => {
    const hash = importedDigest('sha256', 'a key');
    for (const ref of ['AbCdEfGh01234567', hash, `${hash}@*`, `${hash}@`, `${hash}@a#0`]) {
      expect(isImportedDigest({ ref, hash: ref })).toBe(false);
      expect(isImportedDigest({ ref, hash })).toBe(false);
    }
  });

  it('every secret of a digest in a workspace is looked up by that workspace, and by all of them', () => {
    const digest = importedDigest('sha512', 'a key');
    const first = lookupRef(digest, 'acme');
    const lookups = [first, lookupRef(digest, null)];
    const second = nextRef(first);
    const third = nextRef(second);
    expect(new Set([first, second, third]).size).toBe(3);
    for (const ref of [first, second, third]) expect(lookupsOf(ref)).toEqual(lookups);
    expect(lookupsOf('AbCdEfGh01234567')).toEqual(['AbCdEfGh01234567']);
  });

  it('the ref of an imported secret names its digest, and no other ref is taken for one', () => {
    const ref = lookupRef(importedDigest('sha512', 'a key'), 'acme');
    expect(isImportedRef(lookupRef(importedDigest('sha256', 'a key'), 'acme'))).toBe(true);
    expect(isImportedRef(ref)).toBe(true);
    expect(isImportedRef(nextRef(ref))).toBe(true);
    expect(isImportedRef('0123456789abcdef')).toBe(false);
    expect(isImportedRef('')).toBe(false);
  });

  it('a string has one digest by each algorithm, which says the algorithm and the digest in hex', () => {
    expect(importedDigests('a key')).toEqual([
      `sha256:${hash('sha256', 'a key', 'hex')}`,
      `sha512:${hash('sha512', 'a key', 'hex')}`,
    ]);
  });
});
