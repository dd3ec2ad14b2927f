import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../lib/log-events.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { untilStopped } from '../lib/stop.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import { isTimeout, isUnavailable } from './errors.ts';
import { explainDatabase, ReadOnlyDatabaseError } from './refusals.ts';

const WAIT_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 3000;

/** Repeats an attempt for a minute while the database is not ready: absent, starting, a replica. */
export async function whenReady<T>(
  attempt: () => Promise<T>,
  log: Log,
  stop: AbortSignal,
  waitMs = WAIT_MS,
): Promise<T> {
  const deadline = performance.now() + waitMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await untilStopped(stop, attempt());
    } catch (error) {
      const explained = explainDatabase(rootOf(error));
      if (!isNotReady(rootOf(error), explained) || performance.now() > deadline) throw explained;
      const reason = explained instanceof OperatorError ? explained.message : undefined;
      const line = { reason, retryInMs: pause };
      log.warn({ event: 'start.waiting_for_database', ...line }, 'waiting for the database');
      await untilStopped(stop, delay(pause));
    }
  }
}

/** A fence says that the database did not answer, and has the database's error as its cause. */
function rootOf(error: unknown): unknown {
  return error instanceof UnavailableError && error.cause !== undefined ? error.cause : error;
}

function isNotReady(error: unknown, explained: unknown): boolean {
  // A replica may be about to be promoted.
  if (explained instanceof ReadOnlyDatabaseError) return true;
  return isUnavailable(error) || isTimeout(error) || error instanceof UnavailableError;
}
