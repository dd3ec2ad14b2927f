/** What can be full, as the label of a metric: docs/monitoring.md says what to do about each. */
export const SHED_REASONS = [
  'requests',
  'bodies',
  'management',
  'batch',
  'counters',
  'rate',
  'connections',
  'unsent',
  'lookups',
  'argon2',
  'database',
] as const;

export type ShedReason = (typeof SHED_REASONS)[number];

/** A resource limit is reached. The caller may try again after a moment. */
export class OverloadError extends Error {
  override name = 'OverloadError';
  readonly reason: ShedReason;

  constructor(reason: ShedReason, message: string) {
    super(message);
    this.reason = reason;
  }
}
