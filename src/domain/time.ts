/** RFC 3339 in UTC, of a date or of epoch milliseconds; null stays null. */
export function toIso(time: Date | number): string;
export function toIso(time: Date | number | null): string | null;
export function toIso(time: Date | number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
