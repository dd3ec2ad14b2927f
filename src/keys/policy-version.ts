import { hasQuota } from '../quotas/consumption-store.ts';
import type { KeyRow } from './store.ts';

type PolicyFields = Pick<KeyRow, 'limitNames' | 'creditsLimited'>;

/** What a key can use, and the first policy version whose rules include it. */
const RULES: readonly { version: number; isUsedBy: (key: PolicyFields) => boolean }[] = [
  { version: 2, isUsedBy: hasQuota },
];

/** The lowest policy version that can judge the key: an older instance must not. */
export function policyVersionOf(key: PolicyFields): number {
  const used = RULES.filter(({ isUsedBy }) => isUsedBy(key));
  return Math.max(1, ...used.map(({ version }) => version));
}
