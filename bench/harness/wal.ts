import type { BenchEnv } from './env.ts';

/** Bytes of WAL since the database was created. */
export async function walBytes({ query }: BenchEnv): Promise<number> {
  const [row] = await query<{ bytes: string }>(
    `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as bytes`,
  );
  return Number(row?.bytes);
}
