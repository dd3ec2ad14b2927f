import { sql } from 'drizzle-orm';
import { Clock } from '../lib/clock.ts';
import type { Orm } from './database.ts';
import { installation } from './schema.ts';

export interface Installation {
  checksumKey: Uint8Array;
  /** Set by the database's clock. */
  clock: Clock;
}

/** What commands need to know of the installation that they work on. */
export async function readInstallation(orm: Orm): Promise<Installation> {
  const [row] = await orm
    .select({
      checksumKey: installation.checksumKey,
      ms: sql<number>`extract(epoch from clock_timestamp())::float8 * 1000`,
    })
    .from(installation);
  if (!row) throw new Error('the database has no installation row');
  const clock = new Clock();
  clock.sync(row.ms);
  return { checksumKey: row.checksumKey, clock };
}
