import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type IdlePolicy, idleSteps, stepTooSoon } from '../../src/domain/idle-policy.ts';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-06-15T12:00:00.000Z');
const ago = (days: number) => new Date(NOW.getTime() - days * DAY_MS);

const Days = fc.option(fc.integer({ min: 1, max: 400 }));
const Policy: fc.Arbitrary<IdlePolicy> = fc.record({
  warnAfterDays: Days,
  disableAfterDays: Days,
  revokeAfterDays: Days,
  noticeDays: fc.integer({ min: 1, max: 60 }),
});
const Key = fc.record({
  unusedSince: fc.integer({ min: -100, max: 500 }).map(ago),
  warnedAt: fc.option(fc.integer({ min: 0, max: 200 }).map(ago)),
  enabled: fc.boolean(),
  touchedAt: fc.integer({ min: 0, max: 500 }).map(ago),
});

it('no step that ends a use comes sooner than the notice after the warning, the last touch and the step before it', () => {
  fc.assert(
    fc.property(Policy, Key, (policy, key) => {
      const steps = idleSteps(policy, key, NOW);
      let visibleSince = key.warnedAt;
      for (const { step, at } of steps) {
        expect(at >= NOW).toBe(true);
        if (step !== 'warn') {
          const since = Math.max(key.touchedAt.getTime(), visibleSince?.getTime() ?? Infinity);
          expect(at.getTime() - since).toBeGreaterThanOrEqual(policy.noticeDays * DAY_MS);
        }
        visibleSince = at;
      }
    }),
  );
});

it('a key has no steps without a warning, be it to come: steps begin with one, or one is open', () => {
  fc.assert(
    fc.property(Policy, Key, (policy, key) => {
      const [first] = idleSteps(policy, key, NOW);
      if (first) expect(first.step === 'warn').toBe(key.warnedAt === null);
      if (policy.warnAfterDays === null) expect(first).toBeUndefined();
    }),
  );
});

it.each([
  ['disabling needs a warning', { warnAfterDays: null, disableAfterDays: 90 }, 'disableAfterDays'],
  ['revoking needs a warning', { warnAfterDays: null, revokeAfterDays: 90 }, 'revokeAfterDays'],
  ['disabling leaves the notice', { disableAfterDays: 43 }, 'disableAfterDays'],
  ['disabling with the notice', { disableAfterDays: 44 }, null],
  ['revoking leaves the notice after the warning', { revokeAfterDays: 43 }, 'revokeAfterDays'],
  ['revoking leaves it too', { disableAfterDays: 44, revokeAfterDays: 57 }, 'revokeAfterDays'],
  ['revoking with both', { disableAfterDays: 44, revokeAfterDays: 58 }, null],
  ['only a warning', {}, null],
])('a policy is refused by the step that comes too soon: %s', (_what, more, expected) => {
  const policy = {
    warnAfterDays: 30,
    disableAfterDays: null,
    revokeAfterDays: null,
    noticeDays: 14,
  };
  expect(stepTooSoon({ ...policy, ...more })).toBe(expected);
});
