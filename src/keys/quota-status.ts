import { type RateLimit, rateLimitStatus, SLICES, toRateLimits } from '../domain/limits.ts';
import { balanceAt, nextRefill, toRefill } from '../domain/refill.ts';
import { toIso } from '../domain/time.ts';
import { type ConsumptionRow, latestTime } from '../quotas/consumption-store.ts';
import type { KeyRow } from './store.ts';

/** The rate limits of a key and what is left of them, for reading: the database decides. */
export function presentLimits(key: KeyRow, consumed: ConsumptionRow | null, now: number) {
  const limits = toRateLimits(key.limitNames, key.limitUnits, key.limitWindows);
  return limits.map((limit) => {
    const window = windowOf(consumed, limit);
    const { resetAt, ...status } = rateLimitStatus(limit, window, latestTime(consumed, now));
    return { ...status, resetAt: toIso(resetAt) };
  });
}

export function presentCredits(key: KeyRow, consumed: ConsumptionRow | null, now: number) {
  if (!key.creditsLimited) return null;
  const refill = toRefill(key);
  return {
    remaining: consumed ? balanceAt(refill, consumed, latestTime(consumed, now)) : 0,
    refill: refill && { ...refill, nextAt: toIso(nextRefill(refill, now)) },
  };
}

function windowOf(consumed: ConsumptionRow | null, { name, windowSeconds }: RateLimit) {
  const index = consumed?.names.indexOf(name) ?? -1;
  if (!consumed || index === -1 || consumed.windows[index] !== windowSeconds) return null;
  const counts = consumed.counts.slice(SLICES * index, SLICES * (index + 1));
  return { newestSlice: consumed.slices[index] ?? 0, counts };
}
