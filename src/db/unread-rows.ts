import pg from 'pg';

/** A row as the database has sent it: each column is parsed when the row is read. */
export type UnreadRow = Record<string, (() => unknown) | null>;

/**
 * For statements whose rows can be large. The driver parses what has arrived all at once, which can
 * hold the event loop for long; rows that it leaves unread are read in turns.
 */
export const UNREAD: pg.CustomTypesConfig = {
  getTypeParser: (type: number, format: 'text' | 'binary' = 'text') => {
    const parse = pg.types.getTypeParser(type, format);
    return (value: string) => () => parse(value);
  },
};

export function readRow<Row extends pg.QueryResultRow>(row: UnreadRow): Row {
  const columns = Object.entries(row).map(([name, read]) => [name, read?.() ?? null]);
  return Object.fromEntries(columns) as Row;
}
