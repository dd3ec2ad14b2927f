export interface Page<Item> {
  data: Item[];
  nextCursor: string | null;
}

/** A page from rows that were read with one more than its limit, which tells whether more follow. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  limit: number,
  present: (row: Row) => Item,
  cursorAfter: (last: Row) => string,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    data: shown.map((row) => present(row)),
    nextCursor: last === undefined ? null : cursorAfter(last),
  };
}
