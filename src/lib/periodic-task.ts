/** For a run that nothing stops. */
export const UNSTOPPED: AbortSignal = new AbortController().signal;

/**
 * Runs a task at an interval, from `start` to `stop`, and never twice at once: an interval that ends
 * during a run is skipped. The task must handle its own errors. A stop aborts the signal of the run in
 * progress, which finishes its step.
 */
export class PeriodicTask {
  readonly #run: (stopping: AbortSignal) => Promise<void>;
  readonly #intervalMs: number;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;

  constructor(run: (stopping: AbortSignal) => Promise<void>, intervalMs: number) {
    this.#run = run;
    this.#intervalMs = intervalMs;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#runAlone(), this.#intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopping.abort();
  }

  async #runAlone(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    await this.#run(this.#stopping.signal).finally(() => {
      this.#isRunning = false;
    });
  }
}
