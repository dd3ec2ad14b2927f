import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AccessRequest, decide, explain, type KeyPolicy } from '../../src/domain/decide.ts';
import { parseIpRange } from '../../src/domain/ip.ts';

/** The facts about a key and the request, in a simple form. */
interface Facts {
  revoked: boolean;
  workspaceSuspended: boolean;
  enabled: boolean;
  notBefore: number | null;
  expiresAt: number | null;
  allowedIps: string[] | null;
  scopes: string[];
  availableScopes: string[] | null;
  resources: string[] | null;
  requireResource: boolean;
}

/** The documented order, repeated here. */
const ORDER = [
  'REVOKED',
  'WORKSPACE_SUSPENDED',
  'DISABLED',
  'NOT_YET_VALID',
  'EXPIRED',
  'IP_NOT_ALLOWED',
  'INSUFFICIENT_SCOPE',
  'RESOURCE_NOT_ALLOWED',
];

/** The reference: all checks that fail, in no order. */
function objections(facts: Facts, question: AccessRequest, now: number): Set<string> {
  const against = new Set<string>();
  const objectIf = (wrong: boolean, code: string) => wrong && against.add(code);
  objectIf(facts.revoked, 'REVOKED');
  objectIf(!facts.enabled, 'DISABLED');
  objectIf(facts.workspaceSuspended, 'WORKSPACE_SUSPENDED');
  objectIf((facts.notBefore ?? -Infinity) > now, 'NOT_YET_VALID');
  objectIf((facts.expiresAt ?? Infinity) <= now, 'EXPIRED');
  // The addresses below are single addresses, so that equality is enough here.
  const ips = facts.allowedIps ?? [question.ip];
  objectIf(!ips.includes(question.ip), 'IP_NOT_ALLOWED');
  objectIf(modelMissing(facts, question).size > 0, 'INSUFFICIENT_SCOPE');
  const { resource } = question;
  const asked = resource !== undefined || facts.requireResource;
  const touches = resource !== undefined && facts.resources?.includes(resource);
  objectIf(facts.resources !== null && asked && !touches, 'RESOURCE_NOT_ALLOWED');
  return against;
}

function modelMissing(facts: Facts, question: AccessRequest): Set<string> {
  const { scopes, availableScopes } = facts;
  const family = (scope: string) => `${scope.split(':')[0]}:*`;
  const isAvailable = (scope: string) =>
    availableScopes === null ||
    availableScopes.includes(scope) ||
    availableScopes.includes(family(scope));
  const has = (scope: string) =>
    scopes.includes(scope) ||
    (isAvailable(scope) && (scopes.includes('*') || scopes.includes(family(scope))));
  const all = question.requiredScopes ?? [];
  const any = question.requiredAnyScope ?? [];
  const unmetAny = any.length > 0 && !any.some(has) ? any : [];
  return new Set([...all.filter((scope) => !has(scope)), ...unmetAny]);
}

const NOW = 1_000_000;
const time = fc.option(fc.constantFrom(NOW - 1, NOW, NOW + 1, NOW - 0.5, NOW + 0.5));
const IPS = ['203.0.113.7', '203.0.113.8', '2001:db8::1'];
const SCOPES = ['a:x', 'a:y', 'b:x', 'b:y'];
const GRANTS = [...SCOPES, 'a:*', 'b:*', '*'];
const RESOURCES = ['project:1', 'project:2', 'project:10'];
const usually = (value: boolean) =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(value) }, fc.boolean());

const facts: fc.Arbitrary<Facts> = fc.record({
  revoked: usually(false),
  workspaceSuspended: usually(false),
  enabled: usually(true),
  notBefore: time,
  expiresAt: time,
  allowedIps: fc.option(fc.subarray(IPS)),
  scopes: fc.subarray(GRANTS),
  availableScopes: fc.option(fc.subarray([...SCOPES, 'a:*', 'b:*'])),
  resources: fc.option(fc.subarray(RESOURCES)),
  requireResource: fc.boolean(),
});
const question: fc.Arbitrary<AccessRequest> = fc.record(
  {
    requiredScopes: fc.subarray(SCOPES, { minLength: 1 }),
    requiredAnyScope: fc.subarray(SCOPES, { minLength: 1 }),
    resource: fc.constantFrom(...RESOURCES),
    ip: fc.constantFrom(...IPS),
  },
  { requiredKeys: [] },
);

function policyOf({ allowedIps, ...rest }: Facts): KeyPolicy {
  const ranges = allowedIps?.map((text) => {
    const range = parseIpRange(text);
    if (!range) throw new Error(`${text} is an address`);
    return range;
  });
  return { ...rest, allowedIps: ranges ?? null };
}

describe('the decision', () => {
  it('the decision is VALID if every check passes, else the first failure in the documented order', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(facts, question, (given, asked) => {
        const against = objections(given, asked, NOW);
        const expected = ORDER.find((code) => against.has(code)) ?? 'VALID';
        const { code } = decide(policyOf(given), asked, NOW);
        expect(code).toBe(expected);
        seen.add(code);
      }),
      { numRuns: 20_000 },
    );
    expect([...seen].sort()).toEqual([...ORDER, 'VALID'].sort());
  });

  it('INSUFFICIENT_SCOPE names each missing scope once, and no other decision names any', () => {
    fc.assert(
      fc.property(facts, question, (given, asked) => {
        const { code, missingScopes } = decide(policyOf(given), asked, NOW);
        const missing = code === 'INSUFFICIENT_SCOPE' ? modelMissing(given, asked) : new Set();
        expect(missingScopes.length).toBe(missing.size);
        expect(new Set(missingScopes)).toEqual(missing);
      }),
      { numRuns: 5000 },
    );
  });

  it('an explanation lists the checks in the order of the decision, and the first failed check decides', () => {
    fc.assert(
      fc.property(facts, question, (given, asked) => {
        const checks = explain(policyOf(given), asked, NOW);
        expect(checks.map(({ code }) => code)).toEqual(ORDER);
        const failed = new Set(checks.filter(({ passed }) => !passed).map(({ code }) => code));
        expect(failed).toEqual(objections(given, asked, NOW));
        const first = checks.find(({ passed }) => !passed)?.code ?? 'VALID';
        expect(decide(policyOf(given), asked, NOW).code).toBe(first);
      }),
      { numRuns: 2000 },
    );
  });

  it('the decision is pure: the same request has the same answer', () => {
    fc.assert(
      fc.property(facts, question, (given, asked) => {
        const policy = policyOf(given);
        const before = JSON.stringify([policy, asked]);
        expect(decide(policy, asked, NOW)).toEqual(decide(policy, asked, NOW));
        expect(JSON.stringify([policy, asked])).toBe(before);
      }),
    );
  });
});

describe('at the boundary', () => {
  const open: Facts = {
    revoked: false,
    workspaceSuspended: false,
    enabled: true,
    notBefore: null,
    expiresAt: null,
    allowedIps: null,
    scopes: [],
    availableScopes: null,
    resources: null,
    requireResource: false,
  };
  const codeOf = (more: Partial<Facts>, asked: AccessRequest = {}) =>
    decide(policyOf({ ...open, ...more }), asked, NOW).code;

  it('a key is valid from notBefore on and until just before expiresAt', () => {
    expect(codeOf({ notBefore: NOW })).toBe('VALID');
    expect(codeOf({ notBefore: NOW + 0.001 })).toBe('NOT_YET_VALID');
    expect(codeOf({ expiresAt: NOW + 0.001 })).toBe('VALID');
    expect(codeOf({ expiresAt: NOW })).toBe('EXPIRED');
  });

  it('null allows every address and resource, and an empty list none', () => {
    expect(codeOf({ allowedIps: null })).toBe('VALID');
    expect(codeOf({ allowedIps: [] }, { ip: '203.0.113.7' })).toBe('IP_NOT_ALLOWED');
    expect(codeOf({ resources: null }, { resource: 'project:1' })).toBe('VALID');
    expect(codeOf({ resources: [] }, { resource: 'project:1' })).toBe('RESOURCE_NOT_ALLOWED');
  });

  it('a key bound to addresses is not valid if no address is given', () => {
    expect(codeOf({ allowedIps: ['203.0.113.7'] })).toBe('IP_NOT_ALLOWED');
  });

  it('resources go unchecked if none is named, unless the workspace requires one', () => {
    expect(codeOf({ resources: ['project:1'] })).toBe('VALID');
    expect(codeOf({ resources: [] })).toBe('VALID');
    expect(codeOf({ resources: ['project:1'], requireResource: true })).toBe(
      'RESOURCE_NOT_ALLOWED',
    );
    expect(codeOf({ resources: null, requireResource: true })).toBe('VALID');
  });
});
