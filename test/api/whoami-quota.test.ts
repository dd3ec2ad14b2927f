import { expect, it } from 'vitest';
import { usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();
const limit = { name: 'minute', limit: 10, windowSeconds: 60 };

it.each([
  ['neither', {}, [], null],
  ['credits alone', { credits: { remaining: 7 } }, [], { remaining: 7, refill: null }],
  ['a limit alone', { rateLimits: [limit] }, [{ ...limit, remaining: 10, resetAt: null }], null],
])(
  'a holder sees how the limits and credits of the key stand where it has %s',
  async (_what, quota, rateLimits, credits) => {
    const { key } = await createKey(pair.first, quota);
    const { body, headers } = await pair.second.call('GET', '/v1/whoami', { as: key });
    expect({ rateLimits: body.rateLimits, credits: body.credits }).toEqual({ rateLimits, credits });
    expect(headers['ratelimit-policy']).toBe(
      rateLimits.length > 0 ? '"minute";q=10;w=60' : undefined,
    );
  },
);

it('a holder sees what is left after a use, and when it comes back', async () => {
  const { key } = await createKey(pair.first, { rateLimits: [limit], credits: { remaining: 7 } });
  await pair.first.call('POST', '/v1/verify', { body: { key, cost: 3 } });
  pair.advance(30_000);
  const { body, headers } = await pair.second.call('GET', '/v1/whoami', { as: key });
  expect(body.credits.remaining).toBe(4);
  const [shown] = body.rateLimits;
  expect(shown).toMatchObject({ remaining: 7, resetAt: expect.any(String) });
  const seconds = Number(/^"minute";r=7;t=(\d+)$/.exec(String(headers.ratelimit))?.[1]);
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(33);
});
