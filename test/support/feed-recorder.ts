import type { Invalidation, InvalidationListener } from '../../src/freshness/invalidation.ts';

/** Notes what fences name, in order. */
export class FeedRecorder implements InvalidationListener {
  #named: string[] = [];
  resets = 0;

  invalidate(changes: readonly Invalidation[]): void {
    this.#named.push(...changes.map(({ kind, id }) => `${kind} ${id}`.trim()));
  }

  reset(): void {
    this.resets++;
  }

  /** What has been named since it was last asked, sorted. */
  take(): string[] {
    const named = this.#named.sort();
    this.#named = [];
    return named;
  }
}
