import type { BenchEnv } from './env.ts';

/** Gives keys a rate limit and credits that are never reached. */
export async function limitKeys({ query }: BenchEnv, ids: readonly string[]): Promise<void> {
  await query(
    `update keys set limit_names = '{per-minute}', limit_units = '{1000000000}',
                     limit_windows = '{60}', credits_limited = true, min_policy_version = 2
      where id = any($1)`,
    [ids],
  );
  await query(
    `insert into key_consumption (key_id, credits) select unnest($1::text[]), 1000000000`,
    [ids],
  );
}
