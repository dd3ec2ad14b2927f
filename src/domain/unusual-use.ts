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

const DAY = 24;
const WEEK = 7 * DAY;
const WEEKS = 4;
/** The same day of the last month is within it. */
const HISTORY = 35 * DAY;
/** The hours back from the present in which use does not count as usual yet. */
const PRESENT = DAY;
/** Of a key that was first used since then, or on fewer days, nobody knows what is usual. */
const FIRST_USED = 14 * DAY;
const MIN_DAYS_OF_USE = 7;
/** How far beyond the highest peak. */
const MARGIN = 2;

/** As many hours are looked at: the judged one, and the history. */
export const UNUSUAL_USE_HOURS = HISTORY + 1;

/**
 * Above how many verifications the judged hour is unusual, if it is; else null. A spike alone is: above
 * what the key had at this hour of the week, and above all its peaks. docs/alerts.md has the rule in words.
 */
export function unusualAbove(
  { hours, busiestDay }: UseHistory,
  { factor, minimum }: UnusualUseThresholds,
): number | null {
  const [count = 0] = hours;
  const atThisHour = factor * mostAtThisHour(hours);
  if (count < minimum || count <= atThisHour) return null;
  const everywhere = aboveAllPeaks(hours.slice(PRESENT, UNUSUAL_USE_HOURS), busiestDay, factor);
  if (everywhere === null || count <= everywhere) return null;
  return Math.max(everywhere, atThisHour, minimum - 1);
}

/** How long ago the hours are that are around this hour of the week, in the weeks before. */
export const COMPARED_HOURS: readonly number[] = Array.from(
  { length: WEEKS },
  (_, week) => (week + 1) * WEEK,
).flatMap((ago) => [ago - 1, ago, ago + 1]);

export function mostAtThisHour(hours: readonly number[]): number {
  return Math.max(...COMPARED_HOURS.map((ago) => hours[ago] ?? 0));
}

/** What no hour had, by far; null: too little is known of the key. */
function aboveAllPeaks(
  usual: readonly number[],
  busiestDay: number,
  factor: number,
): number | null {
  const most = Math.max(...usual);
  // Back from a quiet time, such as a school year that begins, or a job of each quarter.
  if (most * factor < busiestDay / DAY) return MARGIN * busiestDay;
  return busiestDay > 0 || isKnown(usual) ? MARGIN * most : null;
}

function isKnown(usual: readonly number[]): boolean {
  const first = usual.findLastIndex((count) => count > 0);
  if (first + PRESENT < FIRST_USED) return false;
  const days = Math.ceil(usual.length / DAY);
  const used = Array.from({ length: days }, (_, day) => usual.slice(day * DAY, (day + 1) * DAY));
  return used.filter((day) => day.some((count) => count > 0)).length >= MIN_DAYS_OF_USE;
}
