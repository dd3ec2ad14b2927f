import type { BenchEnv } from '../harness/env.ts';
import { log } from '../harness/results.ts';

export interface StoreSize {
  keys: number;
  /** Of the keys, those that were in use every day. */
  active: number;
  /** Which the keys are spread over. */
  workspaces: number;
  days: number;
  hourDays: number;
}

/** A tenth of the active keys is also denied each hour. */
const HOURS_A_DAY = 8;
const CHUNK = 50_000;
const KEYS_PER_OWNER = 20;
const AGE_DAYS = 730;
const HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

/** As long as real ones, and in as little order. */
const ID = `'key_' || left(md5(n::text), 22)`;
const REF = `left(md5('ref' || n), 16)`;
export const workspaceOf = (place: number): string => `w${place}`;

/** Owners follow each other, so that a workspace has whole ones. */
const workspace = (size: StoreSize) => `'w' || (n / ${KEYS_PER_OWNER}) % ${size.workspaces}`;
/** Every which key is active. */
const stepOf = ({ keys, active }: StoreSize) => Math.floor(keys / active);

/** The `place`th active key, from 0. */
export async function activeKey({ query }: BenchEnv, size: StoreSize, place: number) {
  const [row] = await query<{ id: string; workspaceId: string }>(
    `select ${ID} as id, ${workspace(size)} as "workspaceId" from (values ($1::int)) as v (n)`,
    [1 + place * stepOf(size)],
  );
  if (!row) throw new Error('a list of values has its row');
  return row;
}

/** Fills the tables of a migrated database as daily moves do: a day after the other, by key. */
export async function seedStore(env: BenchEnv, size: StoreSize): Promise<void> {
  await env.query('set synchronous_commit = off');
  await env.query(`set timezone = 'UTC'`);
  await env.query(
    `insert into workspaces (id) select 'w' || n from generate_series(0, $1::int - 1) as n`,
    [size.workspaces],
  );
  await seedKeys(env, size);
  await env.query('select make_usage_partitions($1, $2)', [
    daysAgo(size.hourDays),
    daysAgo(size.days),
  ]);
  for (let ago = size.days; ago >= 2; ago--) {
    await seedDay(env, size, ago);
    if (ago <= size.hourDays) await seedHours(env, 'usage_hours', size, ago);
    if (ago % 10 === 0) log(`${ago} days are left to seed`);
  }
  // Of yesterday, which is still to be moved.
  await seedHours(env, 'usage_recent', size, 1);
  await env.query('vacuum (analyze)');
}

export function daysAgo(days: number): string {
  const today = Math.floor(Date.now() / 86_400_000);
  return new Date((today - days) * 86_400_000).toISOString();
}

/**
 * Created evenly over two years. 3 % are revoked, of 1 % of the owners all, 1 % disabled, 2 % expired, and
 * 40 % will expire. Those in use were used yesterday, half of the others some time in their life; a fifth
 * was rotated.
 */
async function seedKeys(env: BenchEnv, size: StoreSize): Promise<void> {
  const { query } = env;
  for (let from = 1; from <= size.keys; from += CHUNK) {
    const range = [from, Math.min(from + CHUNK - 1, size.keys)];
    const made = `(
      select n, ${ID} as id, ${REF} as ref, ${workspace(size)} as workspace_id,
             now() - n * interval '${AGE_DAYS} days' / ${size.keys} as created_at, n % 100 * 19 % 100 as roll,
             case when n % ${stepOf(size)} = 1 % ${stepOf(size)} then now() - interval '1 day'
                  when n % 2 = 0 then now() - (n * 31 % 97) / 97.0 * n * interval '${AGE_DAYS} days' / ${size.keys}
             end as used_at
        from generate_series($1::int, $2::int) as n) as made`;
    await query(
      `insert into key_usage (key_id, workspace_id, total, last_used_at, last_used_day)
       select id, workspace_id, n % 2, used_at, used_at::date from ${made}`,
      range,
    );
    await query(
      `insert into keys (id, workspace_id, name, prefix, owner_id, scopes, metadata, enabled,
                         created_at, created_by, updated_at, revoked_at, expires_at)
       select id, workspace_id, 'Key of customer ' || n, 'ak_live', 'owner-' || n / ${KEYS_PER_OWNER},
              '{orders:read,orders:write}', '{}', roll <> 2, created_at,
              '{"id":"root","type":"root","onBehalfOf":null}', created_at,
              case when roll < 2 or n / ${KEYS_PER_OWNER} % 101 = 7 then created_at + interval '1 day' end,
              case when roll < 5 and roll > 2 then created_at + interval '1 day'
                   when roll > 59 then now() + roll * interval '3 days' end from ${made}`,
      range,
    );
    await query(
      `insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at)
       select ref, 'sec_' || left(md5('s' || n), 22), id, workspace_id,
              'ak_live_' || left(ref, 4) || '…', '${HASH}', 'current',
              case when n % 5 = 0 then created_at + (now() - created_at) / 2 else created_at end
         from ${made}`,
      range,
    );
    await query(
      `insert into secret_proofs (ref, pepper_id, proof, hash_digest, tag)
       select ref, '0123456789abcdef', sha256(n::text::bytea), sha256('a'), sha256('b')
         from ${made}`,
      range,
    );
    await query(
      `insert into secret_usage (secret_ref, total, last_used_at)
       select ref, 1, used_at from ${made} where used_at is not null`,
      range,
    );
    await query('delete from change_feed');
    log(`${range[1]} keys`);
  }
}

/** Each key has its own day, and most use little. */
const COUNT = '10 + 100000 / n';

async function seedDay({ query }: BenchEnv, size: StoreSize, ago: number): Promise<void> {
  await query(
    `insert into usage_days (workspace_id, key_id, day, secret_ref, code, count, units)
     select ${workspace(size)}, ${ID}, $3::timestamptz::date, ${REF}, code, 8 * (${COUNT}), 8 * (${COUNT})
       from generate_series(1, $1::int, $2::int) as n, unnest(array['VALID', 'RATE_LIMITED']) as code
      where code = 'VALID' or n / $2::int % 10 = 0 order by 1, 2`,
    [size.keys, stepOf(size), daysAgo(ago)],
  );
}

async function seedHours(
  { query }: BenchEnv,
  table: 'usage_hours' | 'usage_recent',
  size: StoreSize,
  ago: number,
): Promise<void> {
  await query(
    `insert into ${table} (workspace_id, key_id, hour, secret_ref, code, count, units)
     select ${workspace(size)}, ${ID}, $3::timestamptz + ((n + hour) % 24) * interval '1 hour', ${REF},
            code, ${COUNT}, ${COUNT}
       from generate_series(1, $1::int, $2::int) as n, generate_series(1, ${HOURS_A_DAY}) as hour,
            unnest(array['VALID', 'RATE_LIMITED']) as code
      where code = 'VALID' or n / $2::int % 10 = 0 order by 1, 2, 3`,
    [size.keys, stepOf(size), daysAgo(ago)],
  );
}
