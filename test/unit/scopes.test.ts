import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  GRANTED_SCOPE_PATTERN,
  isGranted,
  missingScopes,
  REQUIRED_SCOPE_PATTERN,
} from '../../src/domain/scopes.ts';

const granted = new RegExp(GRANTED_SCOPE_PATTERN);
const required = new RegExp(REQUIRED_SCOPE_PATTERN);

/** Few and similar segments, so that scopes often almost match. */
const segment = fc.constantFrom('a', 'b', 'ab', 'read', '.', '-', 'A');
const scope = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(':'));
const grant = fc.oneof(
  scope,
  fc.constant('*'),
  fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => [...parts, '*'].join(':')),
);

/** The reference: segment by segment, with `*` at the end for one or more of them. */
function modelCovers(grantText: string, scopeText: string): boolean {
  const have = grantText.split(':');
  const want = scopeText.split(':');
  if (have.at(-1) !== '*') return JSON.stringify(have) === JSON.stringify(want);
  const fixed = have.slice(0, -1);
  return want.length > fixed.length && fixed.every((part, i) => part === want[i]);
}

/** Of a workspace that does not limit its scopes. */
const any = (scopes: readonly string[]) => ({ scopes, availableScopes: null });

describe('granted scopes', () => {
  it('granted scopes cover what the reference says they cover', () => {
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 4 }), scope, (have, want) => {
        expect(isGranted(any(have), want)).toBe(have.some((one) => modelCovers(one, want)));
      }),
      { numRuns: 3000 },
    );
  });

  it('the missing scopes are exactly the required ones that no granted scope covers, in their order', () => {
    fc.assert(
      fc.property(
        fc.array(grant, { maxLength: 4 }),
        fc.array(scope, { maxLength: 5 }),
        (have, want) => {
          const missing = want.filter((one) => !have.some((it) => modelCovers(it, one)));
          expect(missingScopes(any(have), want)).toEqual(missing);
        },
      ),
    );
  });

  it.each([
    ['sources:*', 'sources:read', true],
    ['sources:*', 'sources:read:all', true],
    ['sources:*', 'sources', false],
    ['sources:*', 'sourcesX:read', false],
    ['sources:*', 'Sources:read', false],
    ['sources', 'sources:read', false],
    ['sources:read', 'sources', false],
    ['*', 'anything:at:all', true],
    ['a.*', 'a.b', false],
  ])('%s covers %s: %s', (have, want, covered) => {
    expect(isGranted(any([have]), want)).toBe(covered);
  });
});

it('a wildcard covers what it matches and the workspace makes available, nothing else', () => {
  fc.assert(
    fc.property(
      fc.array(grant, { maxLength: 4 }),
      fc.array(grant, { maxLength: 4 }),
      scope,
      (scopes, availableScopes, want) => {
        const isAvailable = availableScopes.some((one) => modelCovers(one, want));
        const byWildcard = isAvailable && scopes.some((one) => modelCovers(one, want));
        expect(isGranted({ scopes, availableScopes }, want)).toBe(
          scopes.includes(want) || byWildcard,
        );
      },
    ),
    { numRuns: 3000 },
  );
});

describe('the form of a scope', () => {
  const eight = 'a:b:c:d:e:f:g:h';
  it.each(['read', 'sources:read', 'a.b-c_d:9', eight])(
    '%s can be required and granted',
    (text) => {
      expect(text).toMatch(required);
      expect(text).toMatch(granted);
    },
  );
  it.each(['*', 'sources:*', 'a:b:c:d:e:f:g:*'])('%s can be granted but not required', (text) => {
    expect(text).toMatch(granted);
    expect(text).not.toMatch(required);
  });
  it.each([
    '',
    ':',
    'a:',
    ':a',
    'a::b',
    'a b',
    'a\n',
    'é',
    '**',
    '*:a',
    'a*',
    `${eight}:i`,
    `${eight}:*`,
  ])('%j is not a scope', (text) => {
    expect(text).not.toMatch(granted);
    expect(text).not.toMatch(required);
  });
});
