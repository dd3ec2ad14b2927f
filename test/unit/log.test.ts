import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/lib/logger.ts';

const SECRET = 'ak_live_what-must-not-be-logged';

/** The line that a warning with these fields becomes. */
function lineOf(fields: object): string {
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  createLogger('trace', sink).warn(fields, 'a warning');
  expect(lines).toHaveLength(1);
  return lines.join('');
}

describe('the log', () => {
  it('an error is logged with its type, its code and where it was thrown, without its message', () => {
    const err = Object.assign(new RangeError(`refused: ${SECRET}`), { code: '22003' });
    const line = lineOf({ err });
    expect(line).not.toContain(SECRET);
    expect(line).not.toContain('refused');
    const logged = JSON.parse(line).err;
    expect(logged).toMatchObject({ type: 'RangeError', code: '22003' });
    expect(logged.stack[0]).toMatch(/^ {4}at .*log\.test\.ts/);
  });

  it.each([
    `two lines\n${SECRET}`,
    `in the shape of a stack\n    at ${SECRET}`,
    `a blank line\n\n    at ${SECRET}\n    at ${SECRET}`,
  ])('no line of an error message is logged: %j', (message) => {
    const err = new Error(message, { cause: new Error(message) });
    expect(lineOf({ err })).not.toContain(SECRET);
  });

  it('the causes of an error are logged without their messages', () => {
    const cause = new TypeError(SECRET, { cause: new RangeError(SECRET, { cause: SECRET }) });
    const line = lineOf({ err: new Error(SECRET, { cause }) });
    expect(line).not.toContain(SECRET);
    expect(JSON.parse(line).err).toMatchObject({
      type: 'Error',
      cause: { type: 'TypeError', cause: { type: 'RangeError', cause: { type: 'string' } } },
    });
  });

  it('nothing but the described fields of an error is logged', () => {
    const more = { detail: SECRET, where: SECRET, parameters: [SECRET], query: { text: SECRET } };
    expect(lineOf({ err: Object.assign(new Error('x'), more) })).not.toContain(SECRET);
    expect(lineOf({ err: { message: SECRET } })).not.toContain(SECRET);
    expect(lineOf({ err: SECRET })).not.toContain(SECRET);
  });

  it.each([
    { key: SECRET },
    { authorization: SECRET },
    { headers: { authorization: SECRET, 'x-api-key': SECRET } },
    { body: { key: SECRET } },
    { body: SECRET },
    { req: { headers: { authorization: SECRET, cookie: SECRET } } },
    { request: { key: SECRET } },
    { request: { authorization: SECRET } },
    { gateway: { authorization: SECRET, from: 'query' } },
  ])('a key in a field that may hold one is redacted, nested too: %j', (fields) => {
    const line = lineOf(fields);
    expect(line).not.toContain(SECRET);
    expect(line).toContain('[redacted]');
  });
});
