import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkScopes } from '../../src/keys/policy-checks.ts';

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
    const available = Array.from({ length: 500 }, (_, i) => `r-${i}`);
    const wanted = Array.from({ length: 100 }, (_, i) => `r${i}`);
    let reads = 0;
    const counting = policiesWith(available).availableScopes.map(({ scope: one, ...rest }) => ({
      ...rest,
      get scope() {
        reads++;
        return one;
      },
    }));
    const refuse = (suggest: boolean) => () =>
      checkScopes({ availableScopes: counting }, wanted, { suggest });
    expect(refuse(false)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    const withoutSuggestion = reads;
    expect(refuse(true)).toThrow(
      expect.objectContaining({ detail: expect.stringContaining('did you mean r-0?') }),
    );
    // The index of a policies row is made once, so what is read now is read to compare.
    expect(reads - withoutSuggestion).toBe(500);
    expect(withoutSuggestion).toBeLessThanOrEqual(500);
  });

  it('a suggestion compares at most 4,096 characters, however long the available scopes are', () => {
    const available = Array.from({ length: 300 }, (_, i) => `${i}`.padEnd(128, 'x'));
    let reads = 0;
    const counting = policiesWith(available).availableScopes.map(({ scope: one, ...rest }) => ({
      ...rest,
      get scope() {
        reads++;
        return one;
      },
    }));
    const refuse = (suggest: boolean) => () =>
      checkScopes({ availableScopes: counting }, ['y'.repeat(128)], { suggest });
    expect(refuse(false)).toThrow();
    const withoutSuggestion = reads;
    expect(refuse(true)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
    expect(reads - withoutSuggestion).toBeLessThanOrEqual(4096 / 128 + 1);
  });
});
