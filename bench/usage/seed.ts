import type { BenchEnv } from '../harness/env.ts';
import { log } from '../harness/results.ts';

export interface StoreSize {
  keys: number;
  /** Of the keys, those that were in use every day. */
  active: number;
  days: number;
  hourDays: number;
}

/** A tenth of the active keys is also denied each hour. */
const HOURS_A_DAY = 8;
const CHUNK = 50_000;
const HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

/** As long as real ones, and in as little order. */
const ID = `'key_' || left(md5(n::text), 22)`;
const REF = `left(md5('ref' || n), 16)`;
export const idOf = async ({ query }: BenchEnv, n: number): Promise<string> =>
  (await query<{ id: string }>(`select ${ID} as id from (values ($1::int)) as v (n)`, [n]))[0]
    ?.id ?? '';

/** Fills the tables of a migrated database as daily moves do: a day after the other, by key. */
export async function seedStore(env: BenchEnv, size: StoreSize): Promise<void> {
  await env.query('set synchronous_commit = off');
  await env.query(`set timezone = 'UTC'`);
  await seedKeys(env, size.keys);
  await env.query('select make_usage_partitions($1, $2)', [
    daysAgo(size.hourDays),
    daysAgo(size.days),
  ]);
  for (let ago = size.days; ago >= 2; ago--) {
    await seedDay(env, size.active, ago);
    if (ago <= size.hourDays) await seedHours(env, 'usage_hours', size.active, ago);
    if (ago % 10 === 0) log(`${ago} days are left to seed`);
  }
  // Of yesterday, which is still to be moved.
  await seedHours(env, 'usage_recent', size.active, 1);
  await env.query('vacuum (analyze)');
}

export function daysAgo(days: number): string {
  const today = Math.floor(Date.now() / 86_400_000);
  return new Date((today - days) * 86_400_000).toISOString();
}

async function seedKeys({ query }: BenchEnv, keys: number): Promise<void> {
  for (let from = 1; from <= keys; from += CHUNK) {
    const range = [from, Math.min(from + CHUNK - 1, keys)];
    const series = 'generate_series($1::int, $2::int) as n';
    await query(
      `insert into keys (id, workspace_id, name, prefix, owner_id, scopes, metadata, enabled,
                         created_at, created_by, updated_at)
       select ${ID}, 'default', 'Key of customer ' || n, 'ak_live', 'owner-' || n / 10,
              '{orders:read,orders:write}', '{}', true, now() - n * interval '1 second',
              '{"id":"root","type":"root","onBehalfOf":null}', now() from ${series}`,
      range,
    );
    await query(
      `insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at)
       select ${REF}, 'sec_' || left(md5('s' || n), 22), ${ID}, 'default',
              'ak_live_' || left(md5('ref' || n), 4) || '…', '${HASH}', 'current',
              now() - n * interval '1 second' from ${series}`,
      range,
    );
    await query(
      `insert into secret_proofs (ref, pepper_id, proof, hash_digest, tag)
       select ${REF}, '0123456789abcdef', sha256(n::text::bytea), sha256('a'), sha256('b')
         from ${series}`,
      range,
    );
    await query(
      `insert into secret_usage (secret_ref, total, last_used_at) select ${REF}, 1, now() from ${series}`,
      range,
    );
    await query(`delete from change_feed`);
    log(`${range[1]} keys`);
  }
}

async function seedDay({ query }: BenchEnv, active: number, ago: number): Promise<void> {
  await query(
    `insert into usage_days (workspace_id, key_id, day, secret_ref, code, count, units)
     select 'default', ${ID}, $2::timestamptz::date, ${REF}, code, 800, 800
       from generate_series(1, $1::int) as n, unnest(array['VALID', 'RATE_LIMITED']) as code
      where code = 'VALID' or n % 10 = 0 order by 2`,
    [active, daysAgo(ago)],
  );
}

async function seedHours(
  { query }: BenchEnv,
  table: 'usage_hours' | 'usage_recent',
  active: number,
  ago: number,
): Promise<void> {
  await query(
    `insert into ${table} (workspace_id, key_id, hour, secret_ref, code, count, units)
     select 'default', ${ID}, $2::timestamptz + ((n + hour) % 24) * interval '1 hour', ${REF},
            code, 100, 100
       from generate_series(1, $1::int) as n, generate_series(1, ${HOURS_A_DAY}) as hour,
            unnest(array['VALID', 'RATE_LIMITED']) as code
      where code = 'VALID' or n % 10 = 0 order by 2, 3`,
    [active, daysAgo(ago)],
  );
}
