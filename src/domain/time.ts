/** The earlier of an end and a limit, of which either may be missing; no end stays none. */
export function endWithin(end: Date | null, limit: Date | null): Date | null {
  return end !== null && limit !== null && limit < end ? limit : end;
}

/** RFC 3339 in UTC, of a date or of epoch milliseconds; null stays null. */
export function toIso(time: Date | number): string;
export function toIso(time: Date | number | null): string | null;
export function toIso(time: Date | number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
