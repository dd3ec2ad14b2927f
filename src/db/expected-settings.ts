import { sql } from 'drizzle-orm';
import type { Orm } from './database.ts';

/** Settings of the server on which guarantees depend, and what is lost without them. */
const EXPECTED = {
  fsync: ['on', 'a crash can undo what Keyward acknowledged'],
  default_transaction_isolation: [
    'read committed',
    'limits would be checked against what was true before they were locked',
  ],
} as const;

/** A sentence for each setting that differs from what Keyward expects. */
export async function findUnsafeSettings(orm: Orm): Promise<string[]> {
  const { rows } = await orm.execute<{ name: keyof typeof EXPECTED; setting: string }>(sql`
    select name, setting from pg_settings where name in ('fsync', 'default_transaction_isolation')`);
  return rows.flatMap(({ name, setting }) => {
    const [expected, consequence] = EXPECTED[name];
    const warning = `The database runs with ${name} = ${setting}: ${consequence}.`;
    return setting === expected ? [] : [warning];
  });
}
