import { KeywardError } from './error.ts';

/** Ends a call with all its attempts: when its time is over, or when its caller gives up. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #endsAt: number;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #caller: AbortSignal | null;

  /** Throws the reason of a caller that has given up already. */
  constructor(milliseconds: number, caller: AbortSignal | null = null) {
    caller?.throwIfAborted();
    this.#endsAt = performance.now() + milliseconds;
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

  get leftMs(): number {
    return this.#endsAt - performance.now();
  }

  /** Once the call has ended. */
  release(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#endWithCaller);
  }

  async pause(milliseconds: number): Promise<void> {
    const { signal } = this;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, milliseconds);
      const end = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      signal.addEventListener('abort', end, { once: true });
    });
  }
}
