const BASE: Readonly<Record<string, string>> = {
  max_connections: '100',
  shared_buffers: '128MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** No statement, parameter or row reaches the log: they may contain secrets. */
const LOG_PRIVACY: Readonly<Record<string, string>> = {
  // Above ERROR, because errors quote values; the client gets them anyway.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  // Without DETAIL lines, which quote rows and statements.
  log_error_verbosity: 'terse',
  log_statement: 'none',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  // Keeps the log from growing in ordinary use.
  log_checkpoints: 'off',
  log_autovacuum_min_duration: '-1',
};

const NON_DURABLE: Readonly<Record<string, string>> = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
};

/** Settings as command line arguments, so that every start has those of this version. */
export function settingArguments(
  durable: boolean,
  extra: Readonly<Record<string, string>>,
  fixed: Readonly<Record<string, string>>,
): string[] {
  const settings = { ...BASE, ...(durable ? {} : NON_DURABLE), ...extra, ...LOG_PRIVACY, ...fixed };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
