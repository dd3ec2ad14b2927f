import { expect, it } from 'vitest';
import { describeGateways } from './describe-gateways.ts';
import { createWeakKey, expectClosed, ORIGIN, OTHER_ORIGIN, perMinute } from './expectations.ts';

describeGateways(({ name, fixture }) => {
  it.each([ORIGIN, OTHER_ORIGIN])(
    `${name} answers the preflight of a page of %s itself, without a key`,
    async (Origin) => {
      const preflight = await fixture().send('/orders/7', {
        method: 'OPTIONS',
        headers: {
          Origin,
          'Access-Control-Request-Method': 'DELETE',
          'Access-Control-Request-Headers': 'authorization,x-api-key',
        },
      });
      expect(preflight).toMatchObject({ status: 204, body: '' });
      expect(preflight.headers).toMatchObject({
        'access-control-allow-origin': Origin,
        'access-control-allow-methods': 'DELETE',
        'access-control-allow-headers': 'authorization,x-api-key',
        vary: 'Origin',
      });
      expect(preflight.headers).not.toHaveProperty('access-control-allow-credentials');
      expect(fixture().received).toEqual([]);
    },
  );

  it(`${name} lets an allowed web page read every answer, and other pages none`, async () => {
    const { key } = await fixture().createKey({ scopes: ['orders:*'], rateLimits: [perMinute(1)] });
    const { key: weak } = await createWeakKey(fixture());
    const asked: [string, string, number, boolean][] = [
      [ORIGIN, key, 200, true],
      [ORIGIN, key, 429, true],
      [ORIGIN, 'ak_live_no', 401, true],
      [ORIGIN, weak, 403, true],
      [OTHER_ORIGIN, weak, 403, true],
      ['https://evil.example', weak, 403, false],
      [`${ORIGIN}.evil.example`, weak, 403, false],
      ['null', weak, 403, false],
    ];
    for (const [Origin, presented, status, isAllowed] of asked) {
      const answer = await fixture().sendWith(presented, '/orders/7', { headers: { Origin } });
      expect(answer.status).toBe(status);
      const { headers } = answer;
      expect({ Origin, allowed: headers['access-control-allow-origin'] }).toEqual({
        Origin,
        allowed: isAllowed ? Origin : undefined,
      });
      if (isAllowed) {
        expect(headers['access-control-expose-headers']).toContain('Retry-After');
        expect(headers.vary).toBe('Origin');
      }
    }
  });

  it.each<[string, Record<string, string>]>([
    [
      'of another web page',
      { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'GET' },
    ],
    ['without an origin', { 'Access-Control-Request-Method': 'GET' }],
    ['without a method', { Origin: ORIGIN }],
  ])(`${name} asks for a key if a preflight is %s`, async (_, headers) => {
    const answer = await fixture().send('/orders/7', { method: 'OPTIONS', headers });
    expectClosed(answer, 401, 'KEY_MISSING');
    expect(fixture().received).toEqual([]);
  });
});
