import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutLists } from '../../src/http/validation/list-text.ts';

/** What the parts of a text mean together. */
function parsedInParts(text: string): unknown {
  const { rest, groups } = cutLists(text);
  const items = groups.map((group): unknown[] => {
    const parsed = JSON.parse(`[${group}]`);
    if (parsed.length === 0) throw new SyntaxError('nothing between two commas');
    return parsed;
  });
  const body = JSON.parse(rest);
  for (const list of Object.values(Object(body))) {
    if (!Array.isArray(list)) continue;
    list.splice(0, list.length, ...list.flatMap((index) => items[index] ?? []));
  }
  return body;
}

function outcome(parse: () => unknown): unknown {
  try {
    return { value: parse() };
  } catch {
    return 'malformed';
  }
}

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('"', '\\', ',', '[', ']', '{', '}', 'a', ' ') }),
  fc.string(),
);
const leaf = fc.oneof(fc.constantFrom(0, null, true, -1.5), text);
const item = fc.oneof(
  leaf,
  fc.array(leaf),
  fc.dictionary(text, leaf),
  fc.constant('x'.repeat(9000)),
);
const object = fc.dictionary(text, fc.oneof(leaf, fc.array(item, { maxLength: 8 })), {
  maxKeys: 4,
});

describe('a long JSON text that is cut into parts', () => {
  it('the parts of a valid text mean what the text means', () => {
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, 1), (value, indent) => {
        const json = JSON.stringify(value, null, indent);
        expect(parsedInParts(json)).toEqual(JSON.parse(json));
      }),
      { numRuns: 500 },
    );
  });

  it('a text that is not JSON has a part that is not, wherever a character was changed', () => {
    const change = fc.tuple(
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.constantFrom('', ',', '[', ']', '{', '}', '"', '\\', '0', ' '),
    );
    fc.assert(
      fc.property(object, change, (value, [where, put]) => {
        const json = JSON.stringify(value);
        const at = Math.floor(where * json.length);
        const changed = json.slice(0, at) + put + json.slice(at + 1);
        expect(outcome(() => parsedInParts(changed))).toEqual(outcome(() => JSON.parse(changed)));
      }),
      { numRuns: 2000 },
    );
  });

  it('no group is much longer than 16 KiB unless an item is, which then has a group of its own', () => {
    const long = 'x'.repeat(70_000);
    const keys = [
      'a',
      'b',
      long,
      'c',
      ...Array.from({ length: 5000 }, () => 'twenty characters...'),
    ];
    const { groups } = cutLists(JSON.stringify({ keys }));
    expect(groups[0]).toBe('"a","b"');
    expect(groups[1]).toBe(`"${long}"`);
    expect(Math.max(...groups.slice(2).map((group) => group.length))).toBeLessThan(16_500);
  });

  it.each(['{"keys":[1,]}', '{"keys":[,1]}', '{"keys":[1,,2]}', '{"keys":[ , ]}', '{"keys":[1}'])(
    '%s is malformed in parts as it is as a whole',
    (json) => {
      expect(outcome(() => parsedInParts(json))).toBe('malformed');
    },
  );
});
