import type pg from 'pg';
import { connect } from './database.ts';

/** Locks rows until it is released: what wants them waits there. */
export async function holdRows(
  databaseUrl: string,
  select: string,
  values: unknown[] = [],
): Promise<() => Promise<unknown>> {
  const blocker = await connect(databaseUrl);
  await blocker.query('begin');
  await blocker.query(`${select} for update`, values);
  return () => blocker.query('commit');
}

/** Returns once as many statements of this database wait for a lock. */
export async function untilWaiting(databaseUrl: string, count: number): Promise<void> {
  const observer = await connect(databaseUrl);
  for (;;) {
    const { rows } = await observer.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if ((rows[0]?.waiting ?? 0) >= count) return;
  }
}

/** Whether nobody holds any of these rows. */
export async function areFree(client: pg.Client, select: string, values: unknown[]) {
  return client.query(`${select} for update nowait`, values).then(
    () => true,
    () => false,
  );
}
