import { type SQL, sql } from 'drizzle-orm';

/**
 * What no plan of a look through keys needs: all follow an index, in its order, whatever the planner
 * believes to know of a table; compiling them would take longer than running them.
 */
const UNNEEDED = [
  'jit',
  'enable_seqscan',
  'enable_bitmapscan',
  'enable_hashjoin',
  'enable_mergejoin',
  'enable_sort',
  'enable_incremental_sort',
];

/** Until the end of a transaction: plans by indexes, and statements that end after that time. */
export function planSettings(timeoutMs: number): SQL {
  const off = UNNEEDED.map((name) => sql`set_config(${name}, 'off', true)`);
  return sql`select set_config('statement_timeout', ${String(timeoutMs)}, true), ${sql.join(off, sql`, `)}`;
}
