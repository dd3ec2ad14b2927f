import { type IpRange, isIpAllowed } from './ip.ts';
import { type Grants, isGranted, missingScopes } from './scopes.ts';
import type { VerdictCode } from './verdict.ts';

/** What a key may do, as the verification path needs it. Times are epoch milliseconds. */
export interface KeyPolicy extends Grants {
  revoked: boolean;
  workspaceSuspended: boolean;
  enabled: boolean;
  notBefore: number | null;
  expiresAt: number | null;
  /** Null allows every address, an empty list none. */
  allowedIps: readonly IpRange[] | null;
  /** Null allows every resource, an empty list none. */
  resources: readonly string[] | null;
  /** Whether a key that lists resources must be asked about one. */
  requireResource: boolean;
}

/** What the caller asks about a key. */
export interface AccessRequest {
  requiredScopes?: readonly string[];
  requiredAnyScope?: readonly string[];
  resource?: string;
  ip?: string;
}

export interface Decision {
  code: VerdictCode;
  missingScopes: readonly string[];
}

const NONE: readonly string[] = [];

/** One check: the verdict where it fails, and whether it does. */
interface Check {
  code: VerdictCode;
  fails: (policy: KeyPolicy, question: AccessRequest, now: number) => boolean;
}

/** The one place with the order of checks: the first that fails decides. */
const CHECKS: readonly Check[] = [
  { code: 'REVOKED', fails: (policy) => policy.revoked },
  { code: 'WORKSPACE_SUSPENDED', fails: (policy) => policy.workspaceSuspended },
  { code: 'DISABLED', fails: (policy) => !policy.enabled },
  { code: 'NOT_YET_VALID', fails: (p, _q, now) => p.notBefore !== null && now < p.notBefore },
  { code: 'EXPIRED', fails: (p, _q, now) => p.expiresAt !== null && now >= p.expiresAt },
  { code: 'IP_NOT_ALLOWED', fails: (policy, question) => !ipAllowed(policy, question) },
  { code: 'INSUFFICIENT_SCOPE', fails: (p, question) => scopesMissing(p, question).length > 0 },
  { code: 'RESOURCE_NOT_ALLOWED', fails: (policy, question) => !resourceAllowed(policy, question) },
];

/** Pure: the same question at the same time, the same answer. */
export function decide(policy: KeyPolicy, question: AccessRequest, now: number): Decision {
  const failed = CHECKS.find((check) => check.fails(policy, question, now));
  if (!failed) return { code: 'VALID', missingScopes: NONE };
  const lacksScopes = failed.code === 'INSUFFICIENT_SCOPE';
  return {
    code: failed.code,
    missingScopes: lacksScopes ? scopesMissing(policy, question) : NONE,
  };
}

/** Every check with its outcome, in their order: for people who ask why. */
export function explain(policy: KeyPolicy, question: AccessRequest, now: number) {
  return CHECKS.map(({ code, fails }) => ({ code, passed: !fails(policy, question, now) }));
}

function ipAllowed(policy: KeyPolicy, question: AccessRequest): boolean {
  if (policy.allowedIps === null) return true;
  return question.ip !== undefined && isIpAllowed(policy.allowedIps, question.ip);
}

/** All of `requiredScopes`, and one of `requiredAnyScope`; an unmet alternative names them all. */
function scopesMissing(policy: KeyPolicy, question: AccessRequest): readonly string[] {
  const { requiredScopes = NONE, requiredAnyScope = NONE } = question;
  if (requiredScopes.length === 0 && requiredAnyScope.length === 0) return NONE;
  const missing = missingScopes(policy, requiredScopes);
  const anyMet =
    requiredAnyScope.length === 0 || requiredAnyScope.some((scope) => isGranted(policy, scope));
  return anyMet ? missing : [...new Set([...missing, ...requiredAnyScope])];
}

/** A request that names no resource passes, unless the workspace insists on one. */
function resourceAllowed(policy: KeyPolicy, question: AccessRequest): boolean {
  const { resources, requireResource } = policy;
  if (resources === null) return true;
  return question.resource === undefined ? !requireResource : resources.includes(question.resource);
}
