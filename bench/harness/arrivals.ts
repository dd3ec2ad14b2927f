/**
 * Arrivals by the clock, evenly spaced, whatever the answers take. A request that could not be sent
 * when it was due is late, and its latency counts from when it was due: a stall shows in every
 * request that would have been sent meanwhile.
 */
export class Arrivals {
  readonly #startMs: number;
  readonly #gapMs: number;
  readonly #total: number;
  #taken = 0;

  constructor(startMs: number, perSecond: number, seconds: number) {
    this.#startMs = startMs;
    this.#gapMs = 1000 / perSecond;
    this.#total = Math.round(perSecond * seconds);
  }

  /** When the next one is due; infinite after the last. Computed from the start: no error adds up. */
  get nextMs(): number {
    if (this.#taken === this.#total) return Number.POSITIVE_INFINITY;
    return this.#startMs + this.#taken * this.#gapMs;
  }

  /** When the one that is taken was due; null if none is due by now. */
  take(nowMs: number): number | null {
    const due = this.nextMs;
    if (due > nowMs) return null;
    this.#taken++;
    return due;
  }
}
