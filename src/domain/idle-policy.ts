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
