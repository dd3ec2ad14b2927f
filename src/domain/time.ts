/** The earlier of an end and a limit, of which either may be missing; no end stays none. */
export function endWithin(end: Date | null, limit: Date | null): Date | null {
  return end !== null && limit !== null && limit < end ? limit : end;
}

/** What is shown for an instant that only SQL can have written, such as 'infinity'. */
const NO_INSTANT = '9999-12-31T23:59:59.999Z';

/** RFC 3339 in UTC, of a date or of epoch milliseconds; null stays null. */
export function toIso(time: Date | number): string;
export function toIso(time: Date | number | null): string | null;
export function toIso(time: Date | number | null): string | null {
  if (time === null) return null;
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? NO_INSTANT : date.toISOString();
}
