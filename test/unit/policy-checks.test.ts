import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { checkScopes } from '../../src/keys/policy-checks.ts';

const counted = vi.hoisted(() => ({ distances: 0 }));
vi.mock('fastest-levenshtein', async (original) => {
  const real = await original<typeof import('fastest-levenshtein')>();
  return {
    ...real,
    distance: (a: string, b: string) => {
      counted.distances++;
      return real.distance(a, b);
    },
  };
});

const policiesWith = (scopes: readonly string[]) => ({
  availableScopes: scopes.map((scope) => ({ scope, title: scope, description: scope })),
});

const segment = fc.constantFrom('a', 'b', 'ab');
const scope = fc
  .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean(), segment)
  .map(([parts, isWild, last]) => [...parts, isWild ? '*' : last].join(':'));

/** The reference: one compared with the other. */
function includes(grant: string, other: string): boolean {
  if (grant === other || grant === '*') return true;
  return grant.endsWith(':*') && other.startsWith(grant.slice(0, -1));
}

describe('the scopes that a workspace makes available', () => {
  it('a scope is accepted if it includes an available one, or one includes it, and else refused', () => {
    fc.assert(
      fc.property(fc.array(scope, { maxLength: 4 }), scope, (available, wanted) => {
        const isKnown = available.some((one) => includes(one, wanted) || includes(wanted, one));
        const check = () => checkScopes(policiesWith(available), [wanted], { suggest: false });
        if (isKnown) expect(check).not.toThrow();
        else expect(check).toThrow();
      }),
      { numRuns: 3000 },
    );
  });

  it('a suggestion costs one distance to each available scope, and an import none at all', () => {
    const available = Array.from({ length: 500 }, (_, i) => `resource-${i}:read`);
    const wanted = Array.from({ length: 100 }, (_, i) => `resource${i}:read`);
    const refuse = (suggest: boolean) => () =>
      checkScopes(policiesWith(available), wanted, { suggest });
    counted.distances = 0;
    expect(refuse(true)).toThrow(
      expect.objectContaining({ detail: expect.stringContaining('did you mean resource-0:read?') }),
    );
    expect(counted.distances).toBe(500);
    counted.distances = 0;
    expect(refuse(false)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    expect(counted.distances).toBe(0);
  });
});
