import { type IpRange, isIpAllowed } from './ip.ts';
import { grants, missingScopes } from './scopes.ts';
import type { VerdictCode } from './verdict.ts';

/** What a key may do, as the verification path needs it. Times are epoch milliseconds. */
export interface KeyPolicy {
  revoked: boolean;
  workspaceSuspended: boolean;
  enabled: boolean;
  notBefore: number | null;
  expiresAt: number | null;
  /** Null allows every address, an empty list none. */
  allowedIps: readonly IpRange[] | null;
  scopes: readonly string[];
  /** Null allows every resource, an empty list none. */
  resources: readonly string[] | null;
}

/** What the caller asks about a key. */
export interface Question {
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

/** The one place with the order of checks. Pure: the same question at the same time, the same answer. */
export function decide(policy: KeyPolicy, question: Question, now: number): Decision {
  const state = stateVerdict(policy, now);
  if (state) return { code: state, missingScopes: NONE };
  if (!ipAllowed(policy, question)) return { code: 'IP_NOT_ALLOWED', missingScopes: NONE };
  const missing = scopesMissing(policy, question);
  if (missing.length > 0) return { code: 'INSUFFICIENT_SCOPE', missingScopes: missing };
  if (!resourceAllowed(policy, question)) {
    return { code: 'RESOURCE_NOT_ALLOWED', missingScopes: NONE };
  }
  return { code: 'VALID', missingScopes: NONE };
}

function stateVerdict(policy: KeyPolicy, now: number): VerdictCode | null {
  if (policy.revoked) return 'REVOKED';
  if (policy.workspaceSuspended) return 'WORKSPACE_SUSPENDED';
  if (!policy.enabled) return 'DISABLED';
  if (policy.notBefore !== null && now < policy.notBefore) return 'NOT_YET_VALID';
  if (policy.expiresAt !== null && now >= policy.expiresAt) return 'EXPIRED';
  return null;
}

function ipAllowed(policy: KeyPolicy, question: Question): boolean {
  if (policy.allowedIps === null) return true;
  return question.ip !== undefined && isIpAllowed(policy.allowedIps, question.ip);
}

/** All of `requiredScopes`, and one of `requiredAnyScope`; an unmet alternative names them all. */
function scopesMissing(policy: KeyPolicy, question: Question): readonly string[] {
  const { requiredScopes = NONE, requiredAnyScope = NONE } = question;
  if (requiredScopes.length === 0 && requiredAnyScope.length === 0) return NONE;
  const missing = missingScopes(policy.scopes, requiredScopes);
  const anyMet =
    requiredAnyScope.length === 0 || requiredAnyScope.some((s) => grants(policy.scopes, s));
  return anyMet ? missing : [...new Set([...missing, ...requiredAnyScope])];
}

function resourceAllowed(policy: KeyPolicy, question: Question): boolean {
  if (policy.resources === null || question.resource === undefined) return true;
  return policy.resources.includes(question.resource);
}
