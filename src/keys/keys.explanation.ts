import { explain, type KeyPolicy, type Question } from '../domain/decide.ts';
import { knownRange } from '../domain/ip.ts';
import type { Explanation } from './keys.schemas.ts';
import type { KeyRow } from './keys.store.ts';
import type { WorkspacePolicies } from './policies.ts';

/** What each check would say now, for an operator who asks why. Nothing is consumed or counted. */
export function explainKey(
  key: KeyRow,
  workspace: WorkspacePolicies,
  question: Question,
  now: number,
): Explanation {
  const checks = explain(policyOf(key, workspace), question, now);
  const failed = checks.find((check) => !check.passed);
  return { valid: !failed, code: failed?.code ?? 'VALID', checks };
}

function policyOf(key: KeyRow, workspace: WorkspacePolicies): KeyPolicy {
  return {
    revoked: key.revokedAt !== null,
    workspaceSuspended: workspace.status === 'suspended',
    enabled: key.enabled,
    notBefore: key.notBefore?.getTime() ?? null,
    expiresAt: key.expiresAt?.getTime() ?? null,
    allowedIps: key.allowedIps?.map(knownRange) ?? null,
    scopes: key.scopes,
    resources: key.resources,
    requireResource: workspace.requireResource,
  };
}
