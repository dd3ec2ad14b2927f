import { createSecretKey } from 'node:crypto';
import pg from 'pg';
import { generateKey, newId } from '../../src/domain/key-string.ts';
import { Pepper } from '../../src/secrets/pepper.ts';

const CHUNK = 1000;
/** Matches no key: seeded ones are known by their stored proofs. */
const NO_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

export interface SeedOptions {
  url: string;
  secret: string;
  count: number;
  /** With a rate limit and credits that are never reached. */
  limited?: boolean;
}

/** Makes valid keys by the thousand without argon2, and returns their strings. */
export async function seedKeys({ url, secret, count, limited = false }: SeedOptions) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ key: Buffer }>(
    'select checksum_key as key from installation',
  );
  const checksumKey = createSecretKey(rows[0]?.key ?? Buffer.alloc(0));
  const pepper = new Pepper(secret);
  const strings: string[] = [];
  while (strings.length < count) {
    const made = Array.from({ length: Math.min(CHUNK, count - strings.length) }, () => ({
      ...generateKey('ak_live', checksumKey),
      id: newId('key'),
      secretId: newId('sec'),
    }));
    await insert(client, made, pepper, limited);
    strings.push(...made.map(({ key }) => key));
  }
  await client.query('analyze');
  await client.end();
  return strings;
}

type Made = ReturnType<typeof generateKey> & { id: string; secretId: string };

async function insert(client: pg.Client, made: Made[], pepper: Pepper, limited: boolean) {
  const ids = made.map(({ id }) => id);
  const refs = made.map(({ ref }) => ref);
  await client.query('begin');
  await client.query(
    `insert into keys (id, workspace_id, name, prefix, owner_id, scopes, metadata, enabled,
                       created_at, created_by, updated_at, min_policy_version,
                       limit_names, limit_units, limit_windows, credits_limited)
     select id, 'default', 'Key of ' || id, 'ak_live', 'customer_' || right(id, 3),
            '{sources:read,members:*}', '{"plan": "pro", "region": "eu"}', true,
            now(), '{"type": "root", "id": "root", "onBehalfOf": null}', now(), 2,
            case when $2 then '{per-minute}'::text[] else '{}' end,
            case when $2 then '{1000000000}'::bigint[] else '{}' end,
            case when $2 then '{60}'::int[] else '{}' end, $2
       from unnest($1::text[]) as id`,
    [ids, limited],
  );
  await client.query(
    `insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at)
     select ref, id, key_id, 'default', start, $5, 'current', now()
       from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as s (ref, id, key_id, start)`,
    [refs, made.map((m) => m.secretId), ids, made.map((m) => m.start), NO_HASH],
  );
  await client.query(
    `insert into secret_proofs (ref, pepper_id, proof)
     select ref, $3, proof from unnest($1::text[], $2::bytea[]) as p (ref, proof)`,
    [refs, made.map(({ key }) => pepper.proofOf(key)), pepper.id],
  );
  if (limited) {
    await client.query(
      'insert into key_consumption (key_id, credits) select id, 1000000000 from unnest($1::text[]) as id',
      [ids],
    );
  }
  await client.query('commit');
}
