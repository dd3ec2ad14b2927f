import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../attack/catalogue.ts';
import { type Measured, newMeasured } from '../attack/harness/samples.ts';
import { judge, type Outcome } from '../attack/rules.ts';

const SECURITY = join(import.meta.dirname, '../../docs/security.md');

/** Victims who were served: a hundred hot verifications, the slowest two of which took this long. */
function served(slowestHotMs: number, slowestInForceMs = 5): Measured {
  const measured = newMeasured();
  measured.of.hot.ms.push(...Array.from({ length: 98 }, () => 1), slowestHotMs, slowestHotMs);
  measured.of.quota.ms.push(5);
  measured.inForceMs.push(2, slowestInForceMs);
  return measured;
}

const BASELINE = served(20);

function broken(changed: Partial<Outcome>, baseline: Measured | null = BASELINE): string[] {
  const outcome: Outcome = {
    measured: served(20),
    met: new Map([['401 UNAUTHENTICATED', 10]]),
    ended: null,
    recoveredMs: 3,
    heapMiB: { before: 40, after: 60 },
    broken: [],
    ...changed,
  };
  return judge(outcome, baseline)
    .filter(({ isKept }) => !isKept)
    .map(({ rule }) => rule);
}

describe('the rules of the attack suite', () => {
  it('an attack that nobody else noticed keeps every rule of the attack suite', () => {
    expect(broken({})).toEqual([]);
  });

  it.each<[rule: string, Partial<Outcome>]>([
    ['alive', { ended: 'SIGABRT' }],
    ['alive', { recoveredMs: null }],
    ['alive', { recoveredMs: 5001 }],
    ['no 500', { met: new Map([['500 INTERNAL', 1]]) }],
    ['none wrong', { broken: ['a forged string was VALID'] }],
    ['hot p99', { measured: served(61) }],
    ['in force', { measured: served(20, 101) }],
    ['memory back', { heapMiB: { before: 40, after: 105 } }],
    ['memory back', { heapMiB: { before: 40, after: null } }],
  ])('the attack suite breaks its rule “%s” by: %o', (rule, changed) => {
    expect(broken(changed)).toEqual([rule]);
  });

  it('one refused request of one victim breaks a rule of the attack suite', () => {
    const measured = served(20);
    measured.of.rotation.refused.set('503 OVERLOADED', 1);
    expect(broken({ measured })).toEqual(['none refused']);
  });

  it('one wrong verdict for one victim breaks a rule of the attack suite', () => {
    const measured = served(20);
    measured.wrong.push('a revoked key was answered VALID');
    expect(broken({ measured })).toEqual(['none wrong']);
  });

  it('a victim that waits breaks a rule of the attack suite, whatever it waits for', () => {
    const [quota, creation] = [served(20), served(20)];
    quota.of.quota.ms.push(101);
    creation.of.creation.ms.push(2001);
    expect(broken({ measured: quota })).toEqual(['quota p99']);
    expect(broken({ measured: creation })).toEqual(['slowest']);
  });

  it('the attack suite takes a slow verification of less than its floor for noise', () => {
    expect(broken({ measured: served(24) }, served(1))).toEqual([]);
    expect(broken({ measured: served(26) }, served(1))).toEqual(['hot p99']);
  });

  it('a smoke run of the attack suite looks at no clock, and at everything else', () => {
    expect(broken({ measured: served(9000, 9000) }, null)).toEqual([]);
    expect(broken({ ended: 'SIGABRT' }, null)).toEqual(['alive']);
  });
});

describe('the scenarios of the attack suite', () => {
  it('every scenario of the attack suite has a name of its own', () => {
    const names = SCENARIOS.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
  });

  it('docs/security.md has a row for every scenario of the attack suite, and for no other', () => {
    const rows = readFileSync(SECURITY, 'utf8').matchAll(/^\| `([a-z-]+\/[a-zA-Z0-9-.]+)` \|/gm);
    expect([...rows].map(([, name]) => name)).toEqual(SCENARIOS.map(({ name }) => name));
  });
});
