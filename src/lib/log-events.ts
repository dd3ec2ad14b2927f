/** What a log line tells of: docs/logs.md says of each what it means and what to do. */
export const LOG_EVENTS = [
  'request',
  'request.unavailable',
  'request.failed',
  'batch.items_undecided',
  'usage.flush_failed',
  'usage.fold_failed',
  'housekeeping.failed',
  'workspace.keys_not_ended',
  'retention.step_failed',
  'retention.removed',
  'webhooks.queue_failed',
  'idle_policy.applied',
  'idle_policy.failed',
  'alerts.check_failed',
  'proof.not_stored',
  'rehash.not_stored',
  'leak.not_handled',
  'leak.keys_not_read',
  'leak.root_key',
  'traces.not_exported',
  'start.waiting_for_database',
  'start.warning',
  'start.listening',
  'stop.phase_done',
  'stop.phase_failed',
  'stop.unhandled_error',
  'library',
] as const;

export type LogEvent = (typeof LOG_EVENTS)[number];

interface LogFields {
  event: LogEvent;
  [name: string]: unknown;
}

type Write = (fields: LogFields, message: string) => void;

/** The log as this program writes it: no line without its event. */
export interface Log {
  debug: Write;
  info: Write;
  warn: Write;
  error: Write;
  fatal: Write;
}
