/** No work counts for longer: where the database is far away, most of the time is spent on the way. */
const LONGEST_MS = 1;
/** For how long work may go on without a pause after a quiet moment, beyond its share. */
const SAVED_MS = 1;

/**
 * Bounds the share of the time for which something is at work: a bucket of time, which the clock
 * fills and work empties.
 */
export class TimeShare {
  readonly #share: number;
  readonly #now: () => number;
  #savedMs = SAVED_MS;
  #filledAt: number;
  #beganAt = 0;

  constructor(share: number, now: () => number = () => performance.now()) {
    this.#share = share;
    this.#now = now;
    this.#filledAt = now();
  }

  /** Whether work may begin now. */
  get isLeft(): boolean {
    this.#fill();
    return this.#savedMs > 0;
  }

  begin(): void {
    this.#beganAt = this.#now();
  }

  end(): void {
    this.#fill();
    this.#savedMs -= Math.min(this.#now() - this.#beganAt, LONGEST_MS);
  }

  #fill(): void {
    const now = this.#now();
    const filled = this.#savedMs + (now - this.#filledAt) * this.#share;
    this.#savedMs = Math.min(filled, SAVED_MS);
    this.#filledAt = now;
  }
}
