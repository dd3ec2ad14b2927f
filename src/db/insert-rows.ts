import { getTableColumns, type InferInsertModel, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';

/**
 * Inserts rows that all have the same columns, as one parameter: a statement with a parameter for
 * each value takes half a millisecond to compose for each row. To be followed by `on conflict` or
 * `returning`.
 */
export function insertRows<Table extends PgTable>(
  table: Table,
  rows: readonly InferInsertModel<Table>[],
) {
  const columns = Object.entries(getTableColumns(table)).filter(([name]) =>
    Object.hasOwn(Object(rows[0]), name),
  );
  const names = sql.join(
    columns.map(([, column]) => sql.identifier(column.name)),
    sql`, `,
  );
  const records = rows.map((row) =>
    Object.fromEntries(columns.map(([name, column]) => [column.name, Reflect.get(row, name)])),
  );
  return sql`insert into ${table} (${names})
             select ${names} from jsonb_populate_recordset(null::${table}, ${JSON.stringify(records)}::jsonb)`;
}
