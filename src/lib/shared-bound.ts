import type { ResourceLimit } from './resource-limit.ts';

/** An amount that groups use up together, of which none may use more than its share. */
export class SharedBound {
  readonly #max: number;
  readonly #maxEach: number;
  readonly #used = new Map<string, number>();
  /** A group counts for its share at most: what it took beyond that is not taken from the others. */
  #total = 0;

  /** @param share how much of it one group may use */
  constructor(max: number, share = 0.5) {
    this.#max = max;
    this.#maxEach = Math.ceil(max * share);
  }

  resourceLimit(name: string, bytesEach: number): ResourceLimit {
    return { name, max: this.#max, bytesEach, used: () => Math.min(this.#total, this.#max) };
  }

  hasRoom(group: string, amount: number): boolean {
    const used = this.#used.get(group) ?? 0;
    return this.#total + amount <= this.#max && used + amount <= this.#maxEach;
  }

  isFull(group: string): boolean {
    return !this.hasRoom(group, 1);
  }

  /** What it returns gives the amount back, and may be called once. */
  take(group: string, amount: number): () => void {
    this.#add(group, amount);
    return () => this.#add(group, -amount);
  }

  async during<T>(group: string, amount: number, work: () => Promise<T>): Promise<T> {
    const release = this.take(group, amount);
    try {
      return await work();
    } finally {
      release();
    }
  }

  #add(group: string, amount: number): void {
    const before = this.#used.get(group) ?? 0;
    const used = before + amount;
    this.#total += Math.min(used, this.#maxEach) - Math.min(before, this.#maxEach);
    if (used > 0) this.#used.set(group, used);
    else this.#used.delete(group);
  }
}
