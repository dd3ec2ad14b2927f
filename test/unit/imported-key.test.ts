import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  importedRef,
  importedRefs,
  isImportedDigest,
  isImportedRef,
  refOfDigest,
} from '../../src/domain/imported-key.ts';

const algorithms = fc.constantFrom('sha256' as const, 'sha512' as const);

describe('the digest of an imported key', () => {
  it('a digest leads to the same ref in hex, base64 and base64url, padded or not', () => {
    fc.assert(
      fc.property(algorithms, fc.string(), (algorithm, key) => {
        const ref = importedRef(algorithm, key);
        const hex = hash(algorithm, key, 'hex');
        const base64 = hash(algorithm, key, 'base64');
        const url = hash(algorithm, key, 'base64url');
        const padded = url.padEnd(base64.length, '=');
        const forms = [hex, hex.toUpperCase(), base64, base64.replace(/=+$/, ''), url, padded];
        for (const form of forms) expect(refOfDigest(algorithm, form)).toBe(ref);
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
        for (const value of wrong) expect(refOfDigest(algorithm, value)).toBeNull();
      }),
    );
  });

  it('a digest is refused if unused bits are set, since then it was mistyped', () => {
    const base64 = Buffer.alloc(32).toString('base64');
    expect(refOfDigest('sha256', base64)).not.toBeNull();
    expect(refOfDigest('sha256', base64.replace('A=', 'B='))).toBeNull();
  });

  it('an imported secret counts as rehashed once something other than the digest is stored', () => {
    const ref = importedRef('sha256', 'a key');
    expect(isImportedDigest({ ref, hash: ref })).toBe(true);
    expect(isImportedDigest({ ref, hash: '$argon2id$v=19$…' })).toBe(false);
  });

  it('the ref of an imported secret names its digest, and no other ref is taken for one', () => {
    expect(isImportedRef(importedRef('sha256', 'a key'))).toBe(true);
    expect(isImportedRef(importedRef('sha512', 'a key'))).toBe(true);
    expect(isImportedRef('0123456789abcdef')).toBe(false);
    expect(isImportedRef('')).toBe(false);
  });

  it('a string has one ref by each algorithm, which says the algorithm and the digest in hex', () => {
    expect(importedRefs('a key')).toEqual([
      `sha256:${hash('sha256', 'a key', 'hex')}`,
      `sha512:${hash('sha512', 'a key', 'hex')}`,
    ]);
  });
});
