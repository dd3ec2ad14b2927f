import { createHash } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { verdict } from '../support/sql-keys.ts';

const LONGEST = `old-${'x'.repeat(508)}`;
const TOO_LONG = `${LONGEST}x`;
const REPLACED = 'old-\ufffd';

const hashOf = (key: string) => ({
  algorithm: 'sha256',
  value: createHash('sha256').update(key).digest('hex'),
});

const pair = usePair();

beforeAll(async () => {
  const keys = [LONGEST, TOO_LONG, REPLACED, ''].map((key, index) => {
    return { name: `imported ${index}`, hash: hashOf(key) };
  });
  const { status } = await pair.first.call('POST', '/v1/keys/import', { body: { keys } });
  expect(status).toBe(200);
});

it('an imported key has at most 512 characters: a longer string is no key, wherever it is presented', async () => {
  const whoami = (as: string) => pair.first.call('GET', '/v1/whoami', { as });
  expect(await verdict(pair.first, LONGEST)).toBe('VALID');
  expect((await whoami(LONGEST)).status).toBe(200);
  expect(await verdict(pair.first, TOO_LONG)).toBe('NOT_FOUND');
  expectProblem(await whoami(TOO_LONG), { status: 401, code: 'UNAUTHENTICATED' });
});

it('a string with half of a character is no key, also if the one that stands for it is one', async () => {
  expect(await verdict(pair.first, REPLACED)).toBe('VALID');
  expect(await verdict(pair.first, 'old-\ud800')).toBe('NOT_FOUND');
  expect(await verdict(pair.first, '\udc00old-')).toBe('NOT_FOUND');
});

it('an empty string is no key, also if its digest was imported', async () => {
  expect(await verdict(pair.first, '')).toBe('NOT_FOUND');
});
