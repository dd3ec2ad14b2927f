import { sql } from 'drizzle-orm';
import { HmacKey } from '../domain/hmac-key.ts';
import { Clock } from '../lib/clock.ts';
import type { Orm } from './database.ts';
import { installation } from './schema.ts';

export interface Installation {
  checksumKey: HmacKey;
  /** Synchronized with the database's clock. */
  clock: Clock;
}

/** What commands need to know about the installation that they work on. */
export async function readInstallation(orm: Orm): Promise<Installation> {
  return { checksumKey: await readChecksumKey(orm), clock: await readClock(orm) };
}

/** The key of the checksums in key strings, which the first migration generated. */
export async function readChecksumKey(orm: Orm): Promise<HmacKey> {
  const [row] = await orm.select({ key: installation.checksumKey }).from(installation);
  if (!row) throw new Error('the database has no installation row; run the migrations');
  return new HmacKey(row.key);
}

async function readClock(orm: Orm): Promise<Clock> {
  const { rows } = await orm.execute<{ ms: number }>(
    sql`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`,
  );
  const [row] = rows;
  if (!row) throw new Error('a database that has a clock can tell the time');
  const clock = new Clock();
  clock.sync(row.ms);
  return clock;
}
