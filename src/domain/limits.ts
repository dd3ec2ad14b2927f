/** A rate limit: at most `limit` units in any interval of the window's length. */
export interface RateLimit {
  name: string;
  limit: number;
  windowSeconds: number;
}

/** The limits of a key from the arrays in which they are stored. */
export function toRateLimits(
  names: readonly (string | null)[],
  units: readonly number[],
  windows: readonly number[],
): RateLimit[] {
  return names.map((name, index) => ({
    name: name ?? '',
    limit: units[index] ?? 0,
    windowSeconds: windows[index] ?? 1,
  }));
}

/** How a rate limit stands. */
export interface RateLimitStatus extends RateLimit {
  remaining: number;
  /** When the oldest spent units come back, in epoch milliseconds; null where none is spent. */
  resetAt: number | null;
}

/** A window as it is stored: a ring of slices by their number. */
export interface StoredWindow {
  newestSlice: number;
  counts: readonly number[];
}

/** Slices that overlap a sliding window of 20 slices' length. */
export const SLICES = 21;

export function sliceMs({ windowSeconds }: RateLimit): number {
  return windowSeconds * 50;
}

/** How a limit stands at a time, for reading: the database decides. */
export function rateLimitStatus(
  limit: RateLimit,
  window: StoredWindow | null,
  now: number,
): RateLimitStatus {
  const newest = Math.floor(now / sliceMs(limit));
  const live = window ? liveSlices(window, newest) : [];
  const spent = live.reduce((sum, slice) => sum + slice.count, 0);
  const oldest = live.find(({ count }) => count > 0);
  return {
    ...limit,
    remaining: Math.min(Math.max(0, limit.limit - spent), Math.max(0, limit.limit)),
    resetAt: oldest ? (oldest.number + SLICES) * sliceMs(limit) : null,
  };
}

/** The ages of the slices of a ring, oldest first: numbers that JavaScript rounds do not count up. */
const AGES = Array.from({ length: SLICES }, (_, index) => SLICES - 1 - index);

/** The slices of the ring that still overlap the window, oldest first. */
function liveSlices({ newestSlice, counts }: StoredWindow, current: number) {
  const oldest = Math.max(newestSlice, current) - SLICES + 1;
  return AGES.map((age) => newestSlice - age)
    .filter((number) => number >= oldest)
    .map((number) => ({ number, count: counts[number % SLICES] ?? 0 }));
}
