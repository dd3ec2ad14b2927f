import type pg from 'pg';

/** Until some statement on the client's database waits for a lock. */
export async function untilWaiting(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      `select 1 from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if (rows.length > 0) return;
  }
}

/** Which rows nobody holds, by the given column, sorted by code points. */
export async function unlockedRows(client: pg.Client, table: string, column: string) {
  const { rows } = await client.query<{ name: string }>(
    `select ${column} as name from ${table} for update skip locked`,
  );
  return rows.map(({ name }) => name).sort();
}
