import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseTextArray } from '../../src/db/text-array.ts';

/** As Postgres writes it: quoted where it would mean something else. */
function written(elements: readonly (string | null)[]): string {
  const texts = elements.map((element) => {
    if (element === null) return 'NULL';
    if (/^(null)?$/i.test(element) || /[\s,{}"\\]/.test(element)) {
      return `"${element.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
    }
    return element;
  });
  return `{${texts.join(',')}}`;
}

it('every list of texts is read as it was written, whatever its elements are', () => {
  const element = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('', 'null', 'NULL', 'nullable', 'sources:read', 'a,b', '{}', '"', '\\'),
    fc.constant(null),
  );
  fc.assert(
    fc.property(fc.array(element), (elements) => {
      expect(parseTextArray(written(elements))).toEqual(elements);
    }),
  );
});

it('lists of lists are read as such', () => {
  expect(parseTextArray('{{a,b},{c,d}}')).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
});
