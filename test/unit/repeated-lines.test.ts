import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../src/lib/logger.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function startLog() {
  const texts: string[] = [];
  const sink = new Writable({
    write: (chunk, _encoding, done) => {
      texts.push(String(chunk));
      done();
    },
  });
  return { log: createLogger('trace', sink), lines: () => texts.map((text) => JSON.parse(text)) };
}

class Away extends Error {
  override name = 'Away';
}

const awayWith = (code: string) =>
  new Away('the database is away', { cause: Object.assign(new Error(), { code }) });

describe('lines that repeat', () => {
  it('of a warning that repeats, the first line has the stack, and then one a second has the number of the others', () => {
    const { log, lines } = startLog();
    const warn = (times: number) => {
      for (let n = 0; n < times; n++)
        log.warn({ code: 'UNAVAILABLE', err: awayWith('ECONNREFUSED') }, 'no answer');
    };
    warn(1000);
    expect(lines()).toMatchObject([{ level: 'warn', err: { type: 'Away' } }]);
    expect(lines()[0].err.stack.length).toBeGreaterThan(0);
    vi.advanceTimersByTime(1000);
    warn(500);
    vi.advanceTimersByTime(1000);
    expect(lines().slice(1)).toMatchObject([
      { repeated: 999, err: { type: 'Away', cause: { code: 'ECONNREFUSED' } } },
      { repeated: 500, code: 'UNAVAILABLE', msg: 'no answer' },
    ]);
    for (const line of lines().slice(1)) expect(JSON.stringify(line)).not.toContain('stack');
  });

  it('after a minute without it, a warning is written with its stack again', () => {
    const { log, lines } = startLog();
    log.warn({ err: new Away() }, 'counters not written, will retry');
    vi.advanceTimersByTime(61_000);
    log.warn({ err: new Away() }, 'counters not written, will retry');
    expect(lines().map(({ err }) => Array.isArray(err.stack))).toEqual([true, true]);
  });

  it('warnings and errors of different kinds do not hold each other back', () => {
    const { log, lines } = startLog();
    log.warn({ code: 'UNAVAILABLE' }, 'no answer');
    log.warn({ code: 'OVERLOADED' }, 'no answer');
    log.warn({ err: new Away() }, 'housekeeping failed, will retry');
    const late = new Away();
    log.error({ phase: 'counters', err: late }, 'did not stop cleanly');
    log.error({ phase: 'connections', err: late }, 'did not stop cleanly');
    expect(lines()).toHaveLength(5);
  });

  it('two bugs with the same code each show where they were thrown', () => {
    const { log, lines } = startLog();
    const one = new TypeError('one');
    const other = new TypeError('other');
    for (const err of [one, one, other]) log.error({ code: 'INTERNAL', err }, 'request failed');
    expect(lines()).toHaveLength(2);
  });

  it('lines that are no warnings are never held back', () => {
    const { log, lines } = startLog();
    for (let n = 0; n < 10; n++) log.info({ status: 401 }, 'request');
    expect(lines()).toHaveLength(10);
  });
});
