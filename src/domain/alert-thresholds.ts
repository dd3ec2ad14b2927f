/** From where on a workspace is alerted; null switches an alert off. */
export type AlertThresholds = {
  /** How many days before its expiry a key, and a management key, is named; the largest first. */
  expiringDays: number[];
  /** Days since a key got its string. */
  rotationDueDays: number | null;
  /** In how many of the last 24 hours a key was limited. */
  limitedHours: number | null;
  /** Credits that a key has left; of one with a refill, at most a tenth of it. */
  creditsLow: number | null;
  /** Attempts in an hour with strings that match no key. */
  wrongKeysPerHour: number | null;
  /** How many times as much as ever at this hour of the week. */
  unusualFactor: number | null;
  /** Verifications in an hour below which no use is unusual. */
  unusualMinimum: number;
};

export const DEFAULT_ALERT_THRESHOLDS: AlertThresholds = {
  expiringDays: [30, 7, 1],
  rotationDueDays: 365,
  limitedHours: 6,
  creditsLow: 100,
  wrongKeysPerHour: 1000,
  unusualFactor: 5,
  unusualMinimum: 100,
};
