import { type CursorPosition, decodeCursor, encodeCursor } from './cursor.ts';

/** How the rows of a list are read, and where in its order a row stands. */
export interface KeysetList<Row> {
  /** A cursor of one list is refused by every other. */
  name: string;
  read: (after: CursorPosition | null, limit: number) => Promise<Row[]>;
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

/** Reads one row more than it returns, which tells whether another page follows. */
export async function readPage<Row>(
  { limit, cursor }: PageQuery,
  { name, read, positionOf }: KeysetList<Row>,
): Promise<Page<Row>> {
  const after = cursor === undefined ? null : decodeCursor(name, cursor);
  const found = await read(after, limit + 1);
  const rows = found.slice(0, limit);
  const last = found.length > limit ? rows.at(-1) : undefined;
  return { rows, nextCursor: last === undefined ? null : encodeCursor(name, positionOf(last)) };
}
