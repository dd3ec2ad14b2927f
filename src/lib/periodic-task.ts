/** Runs a task at an interval, from `start` to `stop`. The task must handle its own errors. */
export class PeriodicTask {
  readonly #run: () => Promise<void>;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(run: () => Promise<void>, intervalMs: number) {
    this.#run = run;
    this.#intervalMs = intervalMs;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#run(), this.#intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
