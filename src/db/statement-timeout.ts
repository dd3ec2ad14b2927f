import { type SQL, sql } from 'drizzle-orm';
import type { Orm } from './database.ts';

/** Shorter than the client's time-out, after which the connection counts as lost. */
const STATEMENT_TIMEOUT_MS = 1500;

/** Runs a statement in a transaction of its own, which the server ends after that time. */
export function runInTime<Row extends Record<string, unknown>>(
  orm: Orm,
  statement: SQL,
  timeoutMs = STATEMENT_TIMEOUT_MS,
) {
  return orm.transaction(async (tx) => {
    await tx.execute(sql`select set_config('statement_timeout', ${String(timeoutMs)}, true)`);
    return (await tx.execute<Row>(statement)).rows;
  });
}
