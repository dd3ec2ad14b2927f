import { getTableColumns, type InferSelectModel } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';

/** Chosen columns of a table for hand-written SQL: the text that selects them, and how a row is read. */
export interface ColumnSet<Row> {
  /** `k.owner_id as k_owner_id, …` */
  select: string;
  read: (row: Record<string, unknown>) => Row;
}

/** Ties hand-written SQL to the schema: a column that is renamed or retyped fails to compile. */
export function columnSet<
  Table extends PgTable,
  Name extends keyof InferSelectModel<Table> & string,
>(
  table: Table,
  alias: string,
  names: readonly Name[],
): ColumnSet<Pick<InferSelectModel<Table>, Name>> {
  const columns = getTableColumns(table);
  const chosen = names.map((name) => {
    const column = columns[name];
    if (!column) throw new Error(`the table has no column ${name}`);
    return { name, column, output: `${alias}_${column.name}` };
  });
  return {
    select: chosen.map(({ column, output }) => `${alias}.${column.name} as ${output}`).join(', '),
    read: (row) =>
      Object.fromEntries(
        chosen.map(({ name, column, output }) => {
          const value = row[output] ?? null;
          return [name, value === null ? null : column.mapFromDriverValue(value)];
        }),
      ) as Pick<InferSelectModel<Table>, Name>,
  };
}
