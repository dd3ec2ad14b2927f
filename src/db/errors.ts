import { DrizzleQueryError } from 'drizzle-orm';

/** The SQLSTATE of a database error, also if Drizzle has wrapped it. */
export function sqlState(error: unknown): string | undefined {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' ? cause.code : undefined;
}

const RETRYABLE = new Set(['40001', '40P01']);

/** Serialization failures and deadlocks: the transaction had no effect and may be retried. */
export function isRetryable(error: unknown): boolean {
  return RETRYABLE.has(sqlState(error) ?? '');
}

const TIMEOUTS = new Set(['57014', '55P03']);

/** The server gave up on the statement (statement_timeout, lock_timeout); the connection is sound. */
export function isTimeout(error: unknown): boolean {
  return TIMEOUTS.has(sqlState(error) ?? '');
}

/** Out of range, divided by zero, a null where none may be: what only a broken row leads to. */
export function isDataError(error: unknown): boolean {
  const code = sqlState(error) ?? '';
  return code.startsWith('22') || code.startsWith('23');
}

const SERVER_CLASSES = new Set(['08', '53', '57', '58', 'XX']);
const SOCKET_CODES = /^E(CONN|PIPE|TIMEDOUT|AI_AGAIN|NOTFOUND|HOSTUNREACH|NETUNREACH)/;
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/;

/** Whether the database could not be reached or did not answer, rather than refused a statement. */
export function isUnavailable(error: unknown): boolean {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(cause instanceof Error)) return false;
  // For any reason: a refused port, a missing socket file.
  if ('syscall' in cause && cause.syscall === 'connect') return true;
  if (isTimeout(cause)) return false;
  const code = sqlState(cause) ?? '';
  if (code.length === 5 && SERVER_CLASSES.has(code.slice(0, 2))) return true;
  return SOCKET_CODES.test(code) || DRIVER_MESSAGES.test(cause.message);
}
