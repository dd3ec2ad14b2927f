/** A run of characters as long as a key's secret. */
const LONG = /[A-Za-z0-9_-]{40,}/;

/** Whether a text may be a key, which must not become part of an address. */
export function looksLikeKey(text: string): boolean {
  return LONG.test(text);
}
