import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { checkMetadata, mergeMetadata } from '../../src/keys/metadata.ts';

const name = fc.constantFrom('a', 'b', 'c', 'toString', 'hasOwnProperty', '');
const value = fc.constantFrom(null, 0, 'x', true, ['y', null], { z: null });
const metadata: fc.Arbitrary<JsonObject> = fc.dictionary(name, value, { noNullPrototype: true });

function pointerOfRefusal(given: JsonObject): string {
  try {
    checkMetadata(given);
  } catch (error) {
    if (error instanceof Error && 'errors' in error && Array.isArray(error.errors)) {
      return String(error.errors[0]?.pointer);
    }
    throw error;
  }
  return 'accepted';
}

const nested = (levels: number): JsonObject => {
  let inner: JsonObject = {};
  for (let i = 1; i < levels; i++) inner = { a: inner };
  return inner;
};

describe('merging metadata', () => {
  it('merging metadata sets what is given, removes what is null, and keeps the rest', () => {
    fc.assert(
      fc.property(metadata, metadata, (current, patch) => {
        const merged = mergeMetadata(current, patch);
        for (const one of ['a', 'b', 'c', 'toString', 'hasOwnProperty', '']) {
          const source = Object.hasOwn(patch, one) ? patch : current;
          const expected = Object.hasOwn(source, one) ? source[one] : null;
          if (expected === null) expect(Object.hasOwn(merged, one)).toBe(false);
          else expect(merged[one]).toEqual(expected);
        }
      }),
    );
  });

  it('merging null empties the metadata, and modifies neither of its arguments', () => {
    const current = { a: 1, b: { c: 2 } };
    const patch = { a: null };
    expect(mergeMetadata(current, null)).toEqual({});
    expect(mergeMetadata(current, patch)).toEqual({ b: { c: 2 } });
    expect(current).toEqual({ a: 1, b: { c: 2 } });
    expect(patch).toEqual({ a: null });
  });

  it('merging metadata replaces objects below the top level as a whole', () => {
    expect(mergeMetadata({ a: { x: 1, y: 2 } }, { a: { x: 3 } })).toEqual({ a: { x: 3 } });
  });
});

describe('metadata that is stored', () => {
  it('any JSON within the bounds is accepted as metadata', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 5 })),
        (given) => {
          const text = JSON.stringify(given);
          fc.pre(text.length < 4000 && !text.includes('\\u0000'));
          const copy: JsonObject = JSON.parse(text, (_, value) =>
            Number.isInteger(value) && !Number.isSafeInteger(value) ? 0 : value,
          );
          expect(pointerOfRefusal(copy)).toBe('accepted');
        },
      ),
    );
  });

  it('metadata is at most 8 levels deep', () => {
    expect(pointerOfRefusal(nested(8))).toBe('accepted');
    expect(pointerOfRefusal(nested(9))).toBe(`/body/metadata${'/a'.repeat(8)}`);
  });

  it('metadata is at most 8192 bytes of JSON, in UTF-8', () => {
    const room = 8192 - '{"a":""}'.length;
    expect(pointerOfRefusal({ a: 'x'.repeat(room) })).toBe('accepted');
    expect(pointerOfRefusal({ a: 'x'.repeat(room + 1) })).toBe('/body/metadata');
    expect(pointerOfRefusal({ a: 'é'.repeat(room / 2 + 1) })).toBe('/body/metadata');
  });

  it('metadata contains nothing that Postgres could not return', () => {
    expect(pointerOfRefusal({ a: ['x', '\0'] })).toBe('/body/metadata/a/1');
    expect(pointerOfRefusal({ a: { '\ud800': 1 } })).toBe('/body/metadata/a');
    expect(pointerOfRefusal({ a: '\udc00' })).toBe('/body/metadata/a');
    expect(pointerOfRefusal({ a: Number.POSITIVE_INFINITY })).toBe('/body/metadata/a');
  });

  it('a refusal points into metadata with escaped JSON pointers', () => {
    expect(pointerOfRefusal({ 'a/b~c': '\0' })).toBe('/body/metadata/a~1b~0c');
  });
});
