/** Why an attempt failed, as the log of deliveries shows it. */
export const FAILURES = [
  'timed_out',
  'name_not_resolved',
  'address_not_allowed',
  'connection_failed',
  'certificate_refused',
  'status_not_2xx',
  'redirected',
  'gone',
  'answer_too_large',
  'secret_unreadable',
  'entry_unreadable',
  'not_written',
] as const;
export type Failure = (typeof FAILURES)[number];

/** What became of an attempt. */
export interface Outcome {
  /** Of the answer; null: there was none. */
  status: number | null;
  /** Null: delivered. */
  error: Failure | null;
}

/** An attempt as it is stored. */
export interface Attempt extends Outcome {
  at: string;
  durationMs: number;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Behind each failure, as Standard Webhooks recommends: 75 hours in all, then it has failed. */
const RETRY_DELAYS_MS = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** When to try again after this many failures; null: no more. What cannot be sent ever is not tried again. */
export function nextAttemptAt(failures: number, error: Failure, at: Date): Date | null {
  const delayMs = error === 'entry_unreadable' ? undefined : RETRY_DELAYS_MS[failures - 1];
  return delayMs === undefined ? null : new Date(at.getTime() + delayMs);
}
