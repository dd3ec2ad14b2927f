import type { Schemas } from '../../api-types.ts';

/** What a workspace has that says nothing else: as src/domain has it. */
export const DEFAULT_IDLE_POLICY: Schemas['IdlePolicy'] = {
  warnAfterDays: 90,
  disableAfterDays: null,
  revokeAfterDays: null,
  noticeDays: 14,
};

export const DEFAULT_ALERT_THRESHOLDS: Schemas['AlertThresholds'] = {
  expiringDays: [30, 7, 1],
  rotationDueDays: 365,
  limitedHours: 6,
  creditsLow: 100,
  wrongKeysPerHour: 1000,
  unusualFactor: 5,
  unusualMinimum: 100,
};
