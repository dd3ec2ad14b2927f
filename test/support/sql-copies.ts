import type pg from 'pg';

/**
 * Copies a row with some columns changed, whatever columns the table has: many rows of a shape
 * that the service itself has made.
 */
export async function copyRow(
  client: pg.Client,
  table: 'keys' | 'secrets',
  where: Record<string, string>,
  changes: readonly object[],
): Promise<void> {
  const [column, value] = Object.entries(where)[0] ?? [];
  if (column === undefined) throw new Error('a copy needs an original');
  await client.query(
    `insert into ${table}
     select copy.* from ${table} original, jsonb_array_elements($1::jsonb) as change,
            jsonb_populate_record(original, change) as copy
      where original.${column} = $2`,
    [JSON.stringify(changes), value],
  );
}
