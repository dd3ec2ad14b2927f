import { expect, it } from 'vitest';
import { explainFileError } from '../../src/lib/file-errors.ts';

const failure = (code: string, syscall: string, more: object = {}) =>
  Object.assign(new Error(code), { code, syscall, ...more });

it.each([
  [
    'a folder that is missing',
    failure('ENOENT', 'open', { path: '/a' }),
    '/a: there is no such file or folder (ENOENT).',
  ],
  [
    'missing rights',
    failure('EACCES', 'mkdir', { path: '/a' }),
    '/a: this user may not use it (EACCES).',
  ],
  [
    'a full disk, which names no file',
    failure('ENOSPC', 'write'),
    'there is no space left for it (ENOSPC).',
  ],
])('an error of the file system about %s is told in words', (_, error, sentence) => {
  expect(explainFileError(error)).toBe(sentence);
});

it.each([
  ['a socket', failure('EACCES', 'connect', { address: '/tmp/s' })],
  ['a port', failure('EACCES', 'listen')],
  ['a program', failure('ENOENT', 'spawn initdb', { path: 'initdb' })],
  ['a connection', failure('ECONNRESET', 'read')],
  ['a bug', new TypeError('x is not a function')],
])('an error of %s is none of the file system', (_, error) => {
  expect(explainFileError(error)).toBeNull();
});
