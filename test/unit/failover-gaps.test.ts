import { expect, it } from 'vitest';
import { gapsOf, unexplainedErrors } from '../failover/gaps.ts';
import type { Entry, Verification } from '../history/history.ts';

function verification(end: number, status: number | null): Verification {
  return {
    ...{
      type: 'verify',
      id: `v${end}`,
      instance: 0,
      start: end - 5,
      end,
      wall: 0,
      status,
      as: null,
    },
    ...{ ref: 'r', forged: false, requested: { cost: 1 }, code: status === 200 ? 'VALID' : null },
  };
}

const kill: Entry = {
  ...{ type: 'fault', kind: 'an instance is killed', isOfDatabase: false },
  ...{ instance: 0, start: 10_000, end: 13_000 },
};

it('errors of a load balancer are explained by an event during which they came, or right after it', () => {
  const history = [kill, verification(10_100, 502), verification(14_000, 503)];
  expect(unexplainedErrors(history)).toEqual([]);
});

it('an error while nothing happens is a violation, whatever its status', () => {
  const history = [kill, verification(9_000, 502), verification(20_000, 503)];
  expect(unexplainedErrors(history).map(({ call }) => call)).toEqual(['v9000', 'v20000']);
});

it('a call without an answer, or with another error, is a violation even during an event', () => {
  const history = [kill, verification(10_100, null), verification(10_200, 500)];
  expect(unexplainedErrors(history).map(({ what }) => what)).toEqual([
    'verify got no answer',
    'verify got 500',
  ]);
});

it('an event is reported with its errors by status, how long they lasted, and the longest silence', () => {
  const calls = [10_010, 10_020, 10_520, 11_000].map((end) => verification(end, 200));
  const failed = [verification(10_030, 502), verification(10_500, 503)];
  const [gap] = gapsOf([kill, ...calls, ...failed, verification(5_000, 200)]);
  expect(gap).toMatchObject({ seconds: 3, calls: 6, errorsForMs: 500, silentMs: 500 });
  expect([...(gap?.errors ?? [])]).toEqual([
    [502, 1],
    [503, 1],
  ]);
});
