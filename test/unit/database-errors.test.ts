import { DrizzleQueryError } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { isDataError, isRetryable, isUnavailable, sqlState } from '../../src/db/errors.ts';

const withCode = (code: string, more: object = {}) =>
  Object.assign(new Error('x'), { code, ...more });
const wrapped = (cause: Error) => new DrizzleQueryError('select 1', [], cause);

describe('errors of the driver', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ECONNABORTED',
    'EPIPE',
    'ETIMEDOUT',
    'EAI_AGAIN',
    'ENOTFOUND',
    'EHOSTUNREACH',
    'ENETUNREACH',
  ])('the database is away if its socket fails with %s', (code) => {
    expect(isUnavailable(withCode(code))).toBe(true);
    expect(isUnavailable(wrapped(withCode(code)))).toBe(true);
  });

  it.each(['ENOENT', 'EACCES', 'EADDRNOTAVAIL'])(
    'the database is away if connecting fails with %s, but not if a file operation does',
    (code) => {
      expect(isUnavailable(withCode(code, { syscall: 'connect' }))).toBe(true);
      expect(isUnavailable(wrapped(withCode(code, { syscall: 'connect' })))).toBe(true);
      expect(isUnavailable(withCode(code, { syscall: 'open' }))).toBe(false);
    },
  );

  it.each([
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'Query read timeout',
    'Client has encountered a connection error and is not queryable',
    'Client was closed and is not queryable',
    'Cannot use a pool after calling end on the pool',
  ])('the database is away if the error of the driver begins with: %s', (message) => {
    expect(isUnavailable(new Error(message))).toBe(true);
    expect(isUnavailable(wrapped(new Error(message)))).toBe(true);
    expect(isUnavailable(new Error(`a row quotes: ${message}`))).toBe(false);
  });

  it.each([
    ['a mistake of the code', new TypeError('x is not a function')],
    ['an error of Node', withCode('ERR_INVALID_ARG_TYPE')],
    ['a code that is no text', Object.assign(new Error('x'), { code: 53_300 })],
    ['a code that begins like a class and is longer', withCode('53300_NOT_A_SQLSTATE')],
    ['a text', 'Connection terminated'],
    ['nothing', undefined],
  ])('the absence of the database is not concluded from %s', (_, error) => {
    expect(isUnavailable(error)).toBe(false);
    expect(isRetryable(error)).toBe(false);
  });
});

describe('the SQLSTATE of an error', () => {
  it('the SQLSTATE of an error decides in the same way if Drizzle has wrapped it', () => {
    expect(sqlState(wrapped(withCode('40P01')))).toBe('40P01');
    expect(isRetryable(wrapped(withCode('40P01')))).toBe(true);
    expect(isUnavailable(wrapped(withCode('40P01')))).toBe(false);
    expect(isUnavailable(wrapped(withCode('57P01')))).toBe(true);
    expect(isRetryable(wrapped(withCode('57P01')))).toBe(false);
    expect(sqlState(wrapped(withCode('23505')))).toBe('23505');
    expect(isUnavailable(wrapped(withCode('23505')))).toBe(false);
  });

  it('a broken row is told by the classes 22 and 23 of its error, and by no class that ends like them', () => {
    for (const code of ['22003', '22012', '23502', '23514']) {
      expect(isDataError(withCode(code))).toBe(true);
      expect(isDataError(wrapped(withCode(code)))).toBe(true);
    }
    for (const code of ['40001', '57022', '57023']) expect(isDataError(withCode(code))).toBe(false);
  });
});
