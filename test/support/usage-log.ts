import type pg from 'pg';

/** Adds all that is in the usage log to the tables that are read, as an instance does once a second. */
export async function foldLog(client: pg.ClientBase): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ shard: number }>('select distinct shard from usage_log');
    if (rows.length === 0) return;
    for (const { shard } of rows) {
      await client.query('select fold_usage_log($1, 1000000, false)', [shard]);
    }
  }
}
