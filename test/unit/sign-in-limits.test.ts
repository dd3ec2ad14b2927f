import { beforeEach, describe, expect, it } from 'vitest';
import { SignInLimits } from '../../src/console/sign-in-limits.ts';
import { KeywardError } from '../../src/errors.ts';

describe('the limits of sign-ins', () => {
  let now: number;
  let limits: SignInLimits;
  let checked: string[];
  beforeEach(() => {
    now = 0;
    limits = new SignInLimits(() => now);
    checked = [];
  });

  /** How an attempt ends: `in`, or the code of its refusal. */
  const attempt = (tried: string, { address = '192.0.2.1' } = {}) =>
    limits
      .attempt(address, tried, async () => {
        checked.push(tried);
        if (tried !== 'right') throw new KeywardError('UNAUTHENTICATED');
        return 'in';
      })
      .catch((error) => error.code);

  const attempts = async (tried: readonly string[]) => {
    const ends: string[] = [];
    for (const one of tried) ends.push(await attempt(one));
    return ends;
  };

  it('a wrong string is checked five times a second from one address, and again a second later', async () => {
    const ends = await attempts(Array(7).fill('wrong'));
    expect(ends).toEqual([
      ...Array(5).fill('UNAUTHENTICATED'),
      ...Array(2).fill('TOO_MANY_REQUESTS'),
    ]);
    expect(checked).toHaveLength(5);
    expect(await attempt('wrong', { address: '192.0.2.2' })).toBe('UNAUTHENTICATED');
    now += 1000;
    expect(await attempt('wrong')).toBe('UNAUTHENTICATED');
  });

  it('an address is told to wait after fifty failures in a second, but a right string still signs in', async () => {
    const ends = await attempts(Array.from({ length: 60 }, (_, index) => `wrong ${index}`));
    expect(ends.filter((code) => code === 'UNAUTHENTICATED')).toHaveLength(50);
    expect(ends.at(-1)).toBe('TOO_MANY_REQUESTS');
    expect(await attempt('right')).toBe('in');
  });

  it('what is right signs in as often as it likes', async () => {
    expect(new Set(await attempts(Array(30).fill('right')))).toEqual(new Set(['in']));
  });

  it('one wrong string that is tried many times at once is checked no more often than one by one', async () => {
    await Promise.all(Array.from({ length: 30 }, () => attempt('wrong')));
    expect(checked).toHaveLength(5);
  });

  it('a check that could not be made counts as no failure', async () => {
    for (let index = 0; index < 10; index++) {
      const end = await limits
        .attempt('192.0.2.1', 'right', () => Promise.reject(new KeywardError('UNAVAILABLE')))
        .catch(({ code }) => code);
      expect(end).toBe('UNAVAILABLE');
    }
    expect(await attempt('right')).toBe('in');
  });
});
