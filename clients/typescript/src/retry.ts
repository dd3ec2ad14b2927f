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
      const pause = pauseAfter(error);
      if (pause.endsAt >= rules.deadline.endsAt) throw error;
      await rules.deadline.wait(pause.over);
    }
  }
}

/** As long as Keyward asks to wait after an error. */
class Pause {
  readonly endsAt: number;
  #over: Promise<void> | null = null;

  constructor({ retryAfterSeconds }: KeywardError) {
    const milliseconds = (retryAfterSeconds ?? 0) * 1000 + Math.random() * JITTER_MS;
    this.endsAt = performance.now() + milliseconds;
  }

  get over(): Promise<void> {
    this.#over ??= new Promise((resolve) => {
      setTimeout(resolve, Math.ceil(this.endsAt - performance.now()));
    });
    return this.#over;
  }
}

const pauses = new WeakMap<KeywardError, Pause>();

/** The questions of a call that failed have one error, and come back together. */
function pauseAfter(error: KeywardError): Pause {
  const pause = pauses.get(error) ?? new Pause(error);
  pauses.set(error, pause);
  return pause;
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
