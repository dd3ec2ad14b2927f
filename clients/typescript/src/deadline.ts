import { KeywardError } from './error.ts';

/** Ends a call with all its attempts: when its time is over, or when its caller gives up. */
export class Deadline {
  /** By `performance.now()`. */
  readonly endsAt: number;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #caller: AbortSignal | null;

  /** Throws the reason of a caller that has given up already. */
  constructor(milliseconds: number, caller: AbortSignal | null = null) {
    caller?.throwIfAborted();
    this.endsAt = performance.now() + milliseconds;
    const detail = `Keyward did not answer within ${milliseconds} ms`;
    const end = () => this.#controller.abort(new KeywardError({ code: 'NO_ANSWER', detail }));
    this.#timer = setTimeout(end, milliseconds);
    this.#caller = caller;
    caller?.addEventListener('abort', this.#endWithCaller);
  }

  readonly #endWithCaller = () => this.#controller.abort(this.#caller?.reason);

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Once the call has ended. */
  release(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#endWithCaller);
  }

  /** Waits for it, at most until the end. */
  async wait(promise: Promise<void>): Promise<void> {
    const { signal } = this;
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      promise.then(resolve, reject);
    });
  }
}
