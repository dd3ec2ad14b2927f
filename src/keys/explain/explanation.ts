import { toKeyPolicy } from '../../credentials/credential.ts';
import { type AccessRequest, explain } from '../../domain/decide.ts';
import { presentCredits, presentLimits } from '../limits.ts';
import type { WorkspacePolicies } from '../policies.ts';
import type { KeyRecord } from '../store.ts';
import type { Explanation } from './schemas.ts';

/** What each check would say now, for an operator who asks why. Nothing is consumed or counted. */
export function explainKey(
  { key, consumption }: KeyRecord,
  workspace: WorkspacePolicies,
  question: AccessRequest & { cost?: number },
  now: number,
): Explanation {
  const { cost = 1 } = question;
  const units = presentLimits(key, consumption, now);
  const credits = presentCredits(key, consumption, now);
  const availableScopes = workspace.availableScopes?.map(({ scope }) => scope) ?? null;
  const policy = toKeyPolicy(key, { workspace, availableScopes });
  const checks = [
    ...explain(policy, question, now),
    { code: 'RATE_LIMITED', passed: cost === 0 || units.every((u) => u.remaining >= cost) },
    { code: 'CREDITS_EXHAUSTED', passed: !credits || cost === 0 || credits.remaining >= cost },
  ];
  const failed = checks.find((check) => !check.passed);
  return { valid: !failed, code: failed?.code ?? 'VALID', checks };
}
