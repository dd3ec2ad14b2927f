import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseStrictJson } from '../../src/lib/strict-json.ts';

it('every value without a repeated name is parsed as JSON.parse does it', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(0, 2), (text, indent) => {
      const spaced = JSON.stringify(JSON.parse(text), null, indent);
      expect(parseStrictJson(spaced)).toEqual(JSON.parse(spaced));
    }),
  );
});

it.each([
  '{"a":1,"a":1}',
  '{"a":[{"b":1 , "b" : 2}]}',
  '{"a":1,"\\u0061":2}',
  '[{"":0,"":0}]',
  '{"__proto__":1,"__proto__":2}',
])('a text with a name that is given twice is no JSON: %s', (text) => {
  expect(() => parseStrictJson(text)).toThrow(SyntaxError);
});

it.each([
  '{"a":"x\\":","b":"\\\\"}',
  '["a:","\\":",{"b":":"}]',
  '"a"',
  '{"a":{"a":[{"a":1},{"a":1}]}}',
])('a text whose strings look like names, or whose names repeat elsewhere, is JSON: %s', (text) => {
  expect(parseStrictJson(text)).toEqual(JSON.parse(text));
});
