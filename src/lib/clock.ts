/**
 * The database's clock, carried on between two readings by the monotonic time of this process, so
 * that all instances agree on the time and a wrong system clock changes nothing.
 */
export class Clock {
  #base = Date.now();
  #readAt = performance.now();
  readonly #offset: () => number;

  /** @param offset milliseconds added to every reading; tests move time with it. */
  constructor(offset: () => number = () => 0) {
    this.#offset = offset;
  }

  /** Takes a reading of the database's clock, in epoch milliseconds. */
  sync(databaseTime: number): void {
    this.#base = databaseTime;
    this.#readAt = performance.now();
  }

  /** Epoch milliseconds. */
  now(): number {
    return this.#base + (performance.now() - this.#readAt) + this.#offset();
  }

  date(): Date {
    return new Date(Math.floor(this.now()));
  }
}
