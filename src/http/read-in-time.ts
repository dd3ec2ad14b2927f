import { sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { isTimeout } from '../db/errors.ts';
import { KeywardError } from '../errors.ts';

const STATEMENT_TIMEOUT_MS = 10_000;

/**
 * Reads in one snapshot, and refuses what takes the database too long as QUERY_TOO_BROAD. Compiling a
 * statement (jit) would take longer than such reads.
 */
export async function readInTime<Result>(
  orm: Orm,
  read: (tx: Transaction) => PromiseLike<Result>,
): Promise<Result> {
  return orm.transaction(
    async (tx) => {
      await tx.execute(
        sql`select set_config('statement_timeout', ${String(STATEMENT_TIMEOUT_MS)}, true),
                   set_config('jit', 'off', true)`,
      );
      return Promise.resolve(read(tx)).catch(refuseIfTimedOut);
    },
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  );
}

function refuseIfTimedOut(error: unknown): never {
  throw isTimeout(error) ? new KeywardError('QUERY_TOO_BROAD') : error;
}
