import type { Scenario } from './scenario.ts';
import { FORGED } from './scenarios/forged.ts';
import { ISOLATION } from './scenarios/isolation.ts';
import { LEAKS } from './scenarios/leaks.ts';
import { LOCKS } from './scenarios/locks.ts';
import { STRANGERS } from './scenarios/strangers.ts';
import { TENANT_BODIES } from './scenarios/tenant-bodies.ts';
import { TENANT_CALLS } from './scenarios/tenant-calls.ts';
import { THIEF } from './scenarios/thief.ts';

/** Every scenario, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  ...STRANGERS,
  ...LEAKS,
  ...TENANT_BODIES,
  ...TENANT_CALLS,
  ...LOCKS,
  ...FORGED,
  ...THIEF,
  ...ISOLATION,
];

/** The scenarios with this name, of this family or of this group; all of them without one. */
export function chosen(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS;
  return SCENARIOS.filter(
    ({ name, group }) => name === only || group === only || name.startsWith(`${only}/`),
  );
}
