import type { Invalidation, InvalidationListener } from '../../src/freshness/invalidation.ts';

/** Records the invalidations that fences report. */
export class FeedRecorder implements InvalidationListener {
  #named: string[] = [];
  resets = 0;

  invalidate(changes: readonly Invalidation[]): void {
    this.#named.push(...changes.map(({ kind, id }) => `${kind} ${id}`.trim()));
  }

  reset(): void {
    this.resets++;
  }

  /** The invalidations since the last call, sorted. */
  take(): string[] {
    const named = this.#named.sort();
    this.#named = [];
    return named;
  }
}
