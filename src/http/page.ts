import { createHash } from 'node:crypto';
import { type CursorPosition, decodeCursor, encodeCursor } from './cursor.ts';

/** How the rows of a list are read, and where in its order a row stands. */
export interface KeysetList<Row> {
  /** A cursor of one list is refused by every other. */
  name: string;
  read: (after: CursorPosition | null, limit: number) => Promise<Row[]>;
  /** The bytes of the same rows, if they can be large. */
  measure?: (after: CursorPosition | null, limit: number) => Promise<number[]>;
  positionOf: (row: Row) => CursorPosition;
}

export interface PageQuery {
  limit: number;
  cursor?: string;
}

export interface Page<Row> {
  rows: Row[];
  nextCursor: string | null;
}

/**
 * Names a list together with its parameters, such as filters and the sort order: a cursor of one is refused
 * by every other.
 */
export function listName(list: string, { cursor, limit, ...parameters }: PageQuery): string {
  const text = JSON.stringify(Object.entries(parameters).sort());
  return `${list}:${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

/** Of what the rows of a page say. A page of more would hold the event loop, and fill the memory. */
export const MAX_PAGE_BYTES = 1_048_576;

/** To measure a row, Postgres writes it out: as many of the largest that a key can be fill a page. */
const MEASURED_FIRST = 20;

/** Reads one row more than it returns, which tells whether another page follows. */
export async function readPage<Row>(
  { limit, cursor }: PageQuery,
  { name, read, measure, positionOf }: KeysetList<Row>,
): Promise<Page<Row>> {
  const after = cursor === undefined ? null : decodeCursor(name, cursor);
  const fitting = measure ? await countFitting(limit, (count) => measure(after, count)) : limit;
  const found = await read(after, fitting + 1);
  const rows = found.slice(0, fitting);
  const goesOn = found.length > fitting;
  const last = goesOn ? rows.at(-1) : undefined;
  return { rows, nextCursor: last === undefined ? null : encodeCursor(name, positionOf(last)) };
}

/** How many rows fit a page, and one in any case: more are measured only while all before fit. */
async function countFitting(
  limit: number,
  measure: (count: number) => Promise<number[]>,
): Promise<number> {
  for (let count = MEASURED_FIRST; ; count *= 4) {
    const sizes = await measure(Math.min(count, limit + 1));
    const fitting = fittingOf(sizes);
    const isAll = sizes.length < count || count > limit;
    if (isAll || fitting < sizes.length) return Math.min(limit, fitting);
  }
}

function fittingOf(sizes: readonly number[]): number {
  let bytes = 0;
  const beyond = sizes.findIndex((size) => {
    bytes += size;
    return bytes > MAX_PAGE_BYTES;
  });
  return beyond === -1 ? sizes.length : Math.max(1, beyond);
}
