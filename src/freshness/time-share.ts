/**
 * Bounds the share of the time for which something is at work. After a quiet moment it may be at
 * work for longer without a pause: a bucket of time, which the clock fills and work empties.
 */
export class TimeShare {
  readonly #share: number;
  readonly #burstMs: number;
  readonly #longestMs: number;
  readonly #now: () => number;
  #savedMs: number;
  #filledAt: number;
  #beganAt = 0;

  /** @param longestMs no work costs more: who is slow because of a distance is not held back. */
  constructor(
    options: { share: number; burstMs: number; longestMs: number },
    now: () => number = () => performance.now(),
  ) {
    this.#share = options.share;
    this.#burstMs = options.burstMs;
    this.#longestMs = options.longestMs;
    this.#now = now;
    this.#savedMs = options.burstMs;
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
    this.#savedMs -= Math.min(this.#now() - this.#beganAt, this.#longestMs);
  }

  #fill(): void {
    const now = this.#now();
    const filled = this.#savedMs + (now - this.#filledAt) * this.#share;
    this.#savedMs = Math.min(filled, this.#burstMs);
    this.#filledAt = now;
  }
}
