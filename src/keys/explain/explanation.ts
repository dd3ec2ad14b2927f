import { toKeyPolicy } from '../../credentials/credential.ts';
import { type AccessRequest, explain } from '../../domain/decide.ts';
import type { KeyRecord } from '../key-records.ts';
import { presentCredits, presentLimits } from '../quota-status.ts';
import type { WorkspacePolicies } from '../workspace-policies.ts';
import type { Explanation } from './schemas.ts';

/** The outcome of every check at this time, by the policy that verifications use. */
export function explainKey(
  { key, consumption }: KeyRecord,
  workspace: WorkspacePolicies,
  request: AccessRequest & { cost?: number },
  now: number,
): Explanation {
  const { cost = 1 } = request;
  const limits = presentLimits(key, consumption, now);
  const credits = presentCredits(key, consumption, now);
  const availableScopes = workspace.availableScopes?.map(({ scope }) => scope) ?? null;
  const policy = toKeyPolicy(key, { workspace, availableScopes });
  const checks = [
    ...explain(policy, request, now),
    { code: 'RATE_LIMITED', passed: cost === 0 || limits.every((it) => it.remaining >= cost) },
    { code: 'CREDITS_EXHAUSTED', passed: !credits || cost === 0 || credits.remaining >= cost },
  ];
  const failed = checks.find((check) => !check.passed);
  return { valid: !failed, code: failed?.code ?? 'VALID', checks };
}
