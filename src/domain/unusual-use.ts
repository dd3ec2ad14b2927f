/** What a key had by the hour and, before that, on its busiest day. */
export interface UseHistory {
  /** Verifications by hour, backwards: the first is the hour that is judged. */
  hours: readonly number[];
  /** Most verifications on one day of the year before those hours; 0: it was not used. */
  busiestDay: number;
}

export interface UnusualUseThresholds {
  /** How many times as much as at this hour of the week. */
  factor: number;
  /** Verifications in an hour below which no use is unusual. */
  minimum: number;
}

export interface UnusualUse {
  /** Verifications in the hour that is judged. */
  count: number;
  /** More than this is unusual. */
  threshold: number;
  /** How many hours before the judged one it began, within a day. */
  hoursAgo: number;
}

const DAY = 24;
const WEEK = 7 * DAY;
const WEEKS = 4;
/** The same day of the last month is within it. */
const HISTORY = 35 * DAY;
/** For so many hours back the present use does not count as usual. */
const PRESENT = DAY;
/** Of a key that was first used since then, nobody knows what is usual. */
const FIRST_USED = 14 * DAY;
const MIN_DAYS_OF_USE = 7;
/** How far beyond the highest peak at least. */
const LEAST_MARGIN = 1.5;
/** Which peak the highest one is compared with: how much peaks differ shows how much the next one may. */
const COMPARED_PEAK = 3;

/** As many hours are looked at: of the judged hour, of the day before it, and of the history. */
export const UNUSUAL_USE_HOURS = HISTORY + 1;

/**
 * Whether a key is used far more than ever: a spike above what it had at this hour of the week, and above
 * all peaks. docs/unusual-use.md has the rule in words.
 */
export function findUnusualUse(
  { hours, busiestDay }: UseHistory,
  { factor, minimum }: UnusualUseThresholds,
): UnusualUse | null {
  const [count = 0] = hours;
  if (count < minimum || count <= factor * mostAtThisHour(hours)) return null;
  const usual = hours.slice(PRESENT, UNUSUAL_USE_HOURS);
  const general = generalThreshold(usual, busiestDay, factor);
  if (general === null) return null;
  const isUnusual = (at: number) => {
    const own = hours[at] ?? 0;
    return own >= minimum && own > general && own > factor * mostAtThisHour(hours, at);
  };
  if (!isUnusual(0)) return null;
  const threshold = Math.max(general, factor * mostAtThisHour(hours), minimum - 1);
  const began = hours.slice(0, PRESENT).findLastIndex((_, at) => isUnusual(at));
  return { count, threshold, hoursAgo: began };
}

/** Most verifications around this hour of the week, in the weeks before. */
export function mostAtThisHour(hours: readonly number[], at = 0): number {
  let most = 0;
  for (const ago of hoursCompared(at)) most = Math.max(most, hours[ago] ?? 0);
  return most;
}

/** How long ago the hours are that the judged one is compared with first. */
export function hoursCompared(at = 0): number[] {
  return Array.from({ length: WEEKS }, (_, week) => at + (week + 1) * WEEK).flatMap((ago) => [
    ago - 1,
    ago,
    ago + 1,
  ]);
}

/** What no hour had, by far; null: too little is known of the key. */
function generalThreshold(
  usual: readonly number[],
  busiestDay: number,
  factor: number,
): number | null {
  const peaks = dailyPeaks(usual);
  const [most = 0] = peaks;
  // Back from a quiet time, such as a school year that begins, or a job of each quarter.
  if (most * factor < busiestDay / DAY) return busiestDay * LEAST_MARGIN;
  if (busiestDay === 0 && !isKnown(usual, peaks)) return null;
  return most * marginOf(peaks, factor);
}

/** The largest first; no day without use. */
function dailyPeaks(hours: readonly number[]): number[] {
  const peaks: number[] = [];
  for (let at = 0; at < hours.length; at += DAY) {
    const peak = Math.max(...hours.slice(at, at + DAY));
    if (peak > 0) peaks.push(peak);
  }
  return peaks.sort((a, b) => b - a);
}

function isKnown(usual: readonly number[], peaks: readonly number[]): boolean {
  const first = usual.findLastIndex((count) => count > 0);
  return first + PRESENT >= FIRST_USED && peaks.length >= MIN_DAYS_OF_USE;
}

/** A key of steady peaks is unusual sooner than one whose peaks differ. */
function marginOf(peaks: readonly number[], factor: number): number {
  const [most = 0] = peaks;
  const compared = peaks[COMPARED_PEAK - 1] ?? 0;
  const spread = compared === 0 ? factor : most / compared;
  return Math.min(Math.max(spread, LEAST_MARGIN), Math.max(factor, LEAST_MARGIN));
}
