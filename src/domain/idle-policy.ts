/** What becomes of keys that nobody uses, by days without use; null: nothing. */
export type IdlePolicy = {
  /** An alert. */
  warnAfterDays: number | null;
  disableAfterDays: number | null;
  revokeAfterDays: number | null;
  /** For how many days each of them was visible before the next one follows. */
  noticeDays: number;
};

export const DEFAULT_IDLE_POLICY: IdlePolicy = {
  warnAfterDays: 90,
  disableAfterDays: null,
  revokeAfterDays: null,
  noticeDays: 14,
};

export const IDLE_STEPS = ['warn', 'disable', 'revoke'] as const;
export type IdleStep = (typeof IDLE_STEPS)[number];

/** A key of which the policy decides. */
export interface IdleKey {
  unusedSince: Date;
  /** Since when the alert is open; null: it is not. */
  warnedAt: Date | null;
  enabled: boolean;
  /** When somebody last showed an interest: changed the key or its workspace, or presented it in vain. */
  touchedAt: Date;
}

export interface PlannedStep {
  step: IdleStep;
  /** Now, if it is due. */
  at: Date;
}

const DAY_MS = 86_400_000;

/**
 * What happens to a key if nobody uses or touches it, in order. Neither of what ends its use happens before
 * the alert was open, and nobody touched the key, for as long as the notice takes.
 */
export function idleSteps(policy: IdlePolicy, key: IdleKey, now: Date): PlannedStep[] {
  const { warnAfterDays, disableAfterDays, revokeAfterDays, noticeDays } = policy;
  // Of what is disabled already there is no new alert.
  if (warnAfterDays === null || !(key.warnedAt || key.enabled)) return [];
  const steps: PlannedStep[] = [];
  const notice = noticeDays * DAY_MS;
  const plan = (step: IdleStep, afterDays: number, notBefore: number): number => {
    const due = key.unusedSince.getTime() + afterDays * DAY_MS;
    const at = Math.max(due, notBefore, now.getTime());
    steps.push({ step, at: new Date(at) });
    return at;
  };
  const warned = key.warnedAt?.getTime() ?? plan('warn', warnAfterDays, 0);
  let visible = Math.max(warned, key.touchedAt.getTime());
  if (disableAfterDays !== null && key.enabled)
    visible = plan('disable', disableAfterDays, visible + notice);
  if (revokeAfterDays !== null) plan('revoke', revokeAfterDays, visible + notice);
  return steps;
}

type LaterStep = 'disableAfterDays' | 'revokeAfterDays';

/** The step that leaves less time than the notice after the one before it; null: none does. */
export function stepTooSoon(policy: IdlePolicy): LaterStep | null {
  const { warnAfterDays, noticeDays } = policy;
  let earliest = warnAfterDays === null ? Infinity : warnAfterDays + noticeDays;
  for (const name of ['disableAfterDays', 'revokeAfterDays'] as const) {
    const days = policy[name];
    if (days === null) continue;
    if (days < earliest) return name;
    earliest = days + noticeDays;
  }
  return null;
}
