/** A row of the change feed: what is cached of this may be out of date. */
export interface Invalidation {
  kind: 'secret' | 'key' | 'workspace' | 'everything';
  id: string;
}

/** A cache that the fence keeps fresh. */
export interface InvalidationListener {
  invalidate(invalidations: readonly Invalidation[]): void;
  /** Everything may have changed: nothing read before now may be used. */
  reset(): void;
}
