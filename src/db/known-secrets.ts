import { sql } from 'drizzle-orm';
import type { Orm } from './database.ts';
import { knownSecrets } from './schema.ts';

/**
 * Records that instances use the secret with this id, at the start and every minute. Returns the ids
 * of others that are in use, or were used after this one was.
 */
export async function recordSecretUse(orm: Orm, id: string): Promise<string[]> {
  const { rows } = await orm.execute<{ id: string }>(sql`
    select id from ${knownSecrets}
     where id <> ${id}
       and (last_used_at > clock_timestamp() - interval '3 minutes'
            or last_used_at > coalesce(
              (select last_used_at from ${knownSecrets} where id = ${id}), '-infinity'))
     order by last_used_at desc`);
  const lastUsedAt = sql`clock_timestamp()`;
  await orm
    .insert(knownSecrets)
    .values({ id, lastUsedAt })
    .onConflictDoUpdate({ target: knownSecrets.id, set: { lastUsedAt } });
  return rows.map((row) => row.id);
}

/** A sentence if this instance has another secret than the others, or than it had before. */
export async function findOtherSecrets(orm: Orm, id: string): Promise<string[]> {
  const [other] = await recordSecretUse(orm, id);
  if (other === undefined) return [];
  return [
    `KEYWARD_SECRET (id ${id}) is not the one that this database was last used with (id ${other}): each proof that was stored with one costs argon2 again with the other, and audit entries of both are checked only with both. Set the same on every instance; if it was changed on purpose, nothing is to be done.`,
  ];
}
