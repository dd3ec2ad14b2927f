import type { Deadline } from './deadline.ts';
import { KeywardError } from './error.ts';

export interface RetryRules {
  /** Attempts after the first. */
  retries: number;
  mayRepeat: (error: KeywardError) => boolean;
  deadline: Deadline;
}

/** Up to this much is added to each pause, so that clients do not all come back at once. */
const JITTER_MS = 100;

/** Attempts it again where the rules allow it and the time suffices for what Keyward asks to wait. */
export async function retrying<T>(attempt: () => Promise<T>, rules: RetryRules): Promise<T> {
  for (let left = rules.retries; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left <= 0 || !(error instanceof KeywardError) || !rules.mayRepeat(error)) throw error;
      const pauseMs = (error.retryAfterSeconds ?? 0) * 1000 + Math.random() * JITTER_MS;
      if (pauseMs >= rules.deadline.leftMs) throw error;
      await rules.deadline.pause(pauseMs);
    }
  }
}

/** Nothing was verified, so nothing was consumed. */
export function isSurelyUnasked({ code, status }: KeywardError): boolean {
  if (status === null) return code === 'UNREACHABLE';
  return (
    (status === 429 && code === 'TOO_MANY_REQUESTS') || (status === 503 && code === 'OVERLOADED')
  );
}

/** The same question may be answered in a moment; whether it was answered already is unknown. */
export function isTransient(error: KeywardError): boolean {
  const { code, status } = error;
  if (isSurelyUnasked(error)) return true;
  return status === null
    ? code === 'NO_ANSWER'
    : status === 502 || status === 503 || status === 504;
}
