import type { Log } from './log-events.ts';
import { toError } from './to-error.ts';

/** A phase of a stop. The next one runs even if it fails or exceeds its deadline. */
export interface StopPhase {
  name: string;
  deadlineMs: number;
  run: () => Promise<unknown>;
}

/** Runs the phases in order and logs the outcome of each. Returns whether all succeeded. */
export async function stopInOrder(phases: readonly StopPhase[], log: Log): Promise<boolean> {
  let clean = true;
  for (const phase of phases) {
    const started = performance.now();
    const outcome = await withDeadline(phase.run, phase.deadlineMs);
    const durationMs = Math.round(performance.now() - started);
    if (outcome === null)
      log.info({ event: 'stop.phase_done', phase: phase.name, durationMs }, 'stopped');
    else {
      const line = { phase: phase.name, durationMs, err: outcome };
      log.error({ event: 'stop.phase_failed', ...line }, 'did not stop cleanly');
    }
    clean &&= outcome === null;
  }
  return clean;
}

/** Null if it succeeded in time, else what went wrong. */
async function withDeadline(
  run: () => Promise<unknown>,
  deadlineMs: number,
): Promise<Error | null> {
  const { promise: late, resolve } = Promise.withResolvers<Error>();
  const timer = setTimeout(() => resolve(new Error('deadline passed')), deadlineMs);
  const done = (async () => run())().then(() => null, toError);
  const outcome = await Promise.race([done, late]);
  clearTimeout(timer);
  return outcome;
}
