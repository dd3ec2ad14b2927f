import type { VerdictCounter } from '../domain/verdict.ts';
import type { UsageCounters } from './counters.ts';
import type { UsageFlusher } from './flusher.ts';

/** An answer waits until its count is committed; those that wait at the same time share a commit. */
export function countBeforeAnswering(
  counters: UsageCounters,
  flusher: UsageFlusher,
): VerdictCounter {
  return {
    reserve: () => counters.reserve(),
    count: (...verdict) => {
      counters.count(...verdict);
      return flusher.commit();
    },
    countUnmatched: (...verdict) => {
      counters.countUnmatched(...verdict);
      return flusher.commit();
    },
  };
}
