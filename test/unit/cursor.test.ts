import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeywardError } from '../../src/errors.ts';
import { decodeCursor, encodeCursor } from '../../src/http/cursor.ts';

const position = fc.record({
  value: fc.option(fc.string({ unit: 'grapheme' })),
  id: fc.string({ unit: 'grapheme' }),
});
const base64 = (text: string) => Buffer.from(text).toString('base64url');

function refusal(cursor: string, list = 'keys'): unknown {
  try {
    decodeCursor(list, cursor);
  } catch (error) {
    return error;
  }
  return 'not refused';
}

function expectRefused(cursor: string, list?: string): void {
  const error = refusal(cursor, list);
  expect(error).toBeInstanceOf(KeywardError);
  expect(error).toMatchObject({
    code: 'INVALID_CURSOR',
    errors: [{ pointer: '/query/cursor' }],
  });
}

describe('a cursor', () => {
  it('a cursor decodes to the position that it was made of', () => {
    fc.assert(
      fc.property(position, (given) => {
        expect(decodeCursor('keys', encodeCursor('keys', given))).toEqual(given);
      }),
    );
  });

  it('a cursor fits into a URL without being escaped', () => {
    fc.assert(
      fc.property(position, (given) => {
        expect(encodeCursor('keys', given)).toMatch(/^[A-Za-z0-9_-]+$/);
      }),
    );
  });

  it('a cursor of another list or sort is refused', () => {
    const cursor = encodeCursor('keys:name', { value: 'a', id: 'key_1' });
    expectRefused(cursor, 'keys:-createdAt');
    expectRefused(cursor, 'audit-events');
  });

  it('any other text is refused as a cursor, and throws no other error', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => expectRefused(text)));
    fc.assert(fc.property(fc.json(), (json) => expectRefused(base64(json))));
  });

  it.each([
    ['nothing', ''],
    ['no list', base64('["a","b"]')],
    ['one part too many', base64('["keys","a","b","c"]')],
    ['a number for an id', base64('["keys","a",1]')],
    ['no id', base64('["keys","a",null]')],
    ['a number for a value', base64('["keys",1,"a"]')],
    ['an object', base64('{"0":"keys","1":"a","2":"b","length":3}')],
    ['NUL, which Postgres cannot compare', base64('["keys","a\\u0000","b"]')],
    ['half a character', base64('["keys","a","\\ud800"]')],
  ])('a cursor with %s is refused', (_what, cursor) => expectRefused(cursor));
});
