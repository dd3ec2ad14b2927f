/** The earlier of an end and a limit, of which either may be missing; no end stays none. */
export function endWithin(end: Date | null, limit: Date | null): Date | null {
  return end !== null && limit !== null && limit < end ? limit : end;
}

/** The first and the last instant that RFC 3339, Postgres and Date write alike. */
export const FIRST_INSTANT = new Date('0001-01-01T00:00:00.000Z');
export const LAST_INSTANT = new Date('9999-12-31T23:59:59.999Z');

const RFC_3339_LENGTH = 24;

/**
 * RFC 3339 in UTC, of a date or of epoch milliseconds; null stays null. What only SQL can have
 * written and no year of four digits holds is shown as the last instant.
 */
export function toIso(time: Date | number): string;
export function toIso(time: Date | number | null): string | null;
export function toIso(time: Date | number | null): string | null {
  if (time === null) return null;
  const date = new Date(time);
  const text = Number.isNaN(date.getTime()) ? '' : date.toISOString();
  return text.length === RFC_3339_LENGTH ? text : LAST_INSTANT.toISOString();
}
