import { sql } from 'drizzle-orm';
import type { Orm } from './database.ts';

/** Of the Postgres server, such as `18.1`. */
export async function readServerVersion(orm: Orm): Promise<string> {
  const { rows } = await orm.execute<{ version: string }>(
    sql`select split_part(current_setting('server_version'), ' ', 1) as version`,
  );
  return rows[0]?.version ?? 'unknown';
}
