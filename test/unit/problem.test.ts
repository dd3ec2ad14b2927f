import { STATUS_CODES } from 'node:http';
import { expect, it } from 'vitest';
import { ERRORS, type ErrorCode, KeywardError } from '../../src/errors.ts';
import { problemBody, statusOf } from '../../src/http/problem.ts';

it('the title of every problem is its status in words', () => {
  const codes = Object.keys(ERRORS).filter((code): code is ErrorCode => code in ERRORS);
  for (const code of codes) {
    const error = new KeywardError(code);
    const { status, title } = problemBody(error, 'req_1');
    expect([status, title]).toEqual([statusOf(error), STATUS_CODES[status]]);
    expect(title).toMatch(/^[A-Z]/);
  }
});
