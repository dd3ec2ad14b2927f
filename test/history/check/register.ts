/** A value that was written at some moment between `start` and `end`. */
export interface Write<T> {
  start: number;
  end: number;
  /** Its position in the order of commits, if known. */
  sequence: number | null;
  value: T;
}

/**
 * A value that concurrent calls write, and what it may have been at a time: that of every write
 * that had begun and was not certainly overwritten before.
 */
export class Register<T> {
  readonly #writes: Write<T>[] = [];

  write(write: Write<T>): void {
    this.#writes.push(write);
  }

  get writes(): readonly Write<T>[] {
    return this.#writes;
  }

  /** The values that a read at some moment from `start` to `end` may have returned. */
  possible(start: number, end: number, except?: Write<T>): T[] {
    return this.candidates(start, end, except).map(({ value }) => value);
  }

  candidates(start: number, end: number, except?: Write<T>): Write<T>[] {
    let newestSequence = Number.NEGATIVE_INFINITY;
    let newestStart = Number.NEGATIVE_INFINITY;
    for (const write of this.#writes) {
      if (write.end >= start || write === except) continue;
      newestStart = Math.max(newestStart, write.start);
      if (write.sequence !== null) newestSequence = Math.max(newestSequence, write.sequence);
    }
    return this.#writes.filter((write) => {
      if (write === except || write.start > end || write.end < newestStart) return false;
      return write.sequence === null || write.sequence >= newestSequence;
    });
  }
}
