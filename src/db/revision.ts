import { type Column, type SQL, sql } from 'drizzle-orm';

/** Begins again rather than overflow: no number, however it came there, blocks a change. */
export function nextRevision(revision: Column): SQL {
  return sql`${revision} % 2147483647 + 1`;
}
