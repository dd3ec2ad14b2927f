/**
 * The database's clock, continued between readings by this process' monotonic time: all instances
 * agree on the time, however wrong their own clocks are.
 */
export class Clock {
  #base = Date.now();
  #readAt = performance.now();
  /** The latest time that was told since the first reading. */
  #latest: number | null = null;
  readonly #offset: () => number;

  /** @param offset milliseconds added to every reading; tests move time with it. */
  constructor(offset: () => number = () => 0) {
    this.#offset = offset;
  }

  /** Takes a reading of the database's clock, in epoch milliseconds. */
  sync(databaseTime: number): void {
    this.#base = databaseTime;
    this.#readAt = performance.now();
    this.#latest ??= Number.NEGATIVE_INFINITY;
  }

  /**
   * Epoch milliseconds. Never steps back: a reading that arrives late is behind, and what has been
   * told to have expired must not become valid again. Time stands still until it is caught up.
   */
  now(): number {
    const time = this.#base + (performance.now() - this.#readAt) + this.#offset();
    if (this.#latest === null) return time;
    this.#latest = Math.max(this.#latest, time);
    return this.#latest;
  }

  date(): Date {
    return new Date(Math.floor(this.now()));
  }
}
