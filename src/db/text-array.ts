import pg from 'pg';

/** The type's number in every Postgres, which pg's types do not know. */
const TEXT_ARRAY: number = 1009;
const parseAny = pg.types.getTypeParser(TEXT_ARRAY, 'text');

/**
 * Reads a `text[]` as Postgres writes it. The driver looks at one character after the other; of a key
 * with a thousand scopes that takes 0.4 ms. Where nothing is quoted, nested or null, the commas tell.
 */
export function parseTextArray(text: string): unknown {
  if (text === '{}') return [];
  const isPlain = text.startsWith('{') && !/["{]/.test(text.slice(1)) && !/null/i.test(text);
  return isPlain ? text.slice(1, -1).split(',') : parseAny(text);
}

/** For every connection. */
export function registerTextArrays(): void {
  pg.types.setTypeParser(TEXT_ARRAY, parseTextArray);
}
