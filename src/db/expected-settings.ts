import { sql } from 'drizzle-orm';
import type { Orm } from './database.ts';

/** Settings of the server on which guarantees depend, and what is lost without them. */
const EXPECTED = {
  fsync: ['on', 'a crash can undo what Keyward acknowledged'],
  DateStyle: ['ISO', 'times of keys cannot be read, and every verification is refused'],
  default_transaction_isolation: [
    'read committed',
    'limits would be checked against what was true before they were locked',
  ],
} as const;

/** A sentence for each setting that differs from what Keyward expects. */
export async function findUnsafeSettings(orm: Orm): Promise<string[]> {
  const { rows } = await orm.execute<{ name: keyof typeof EXPECTED; setting: string }>(sql`
    select name, case name when 'DateStyle' then split_part(setting, ',', 1) else setting end as setting
      from pg_settings where name in ('fsync', 'DateStyle', 'default_transaction_isolation')`);
  return rows.flatMap(({ name, setting }) => {
    const [expected, consequence] = EXPECTED[name];
    const warning = `The database runs with ${name} = ${setting}: ${consequence}.`;
    return setting === expected ? [] : [warning];
  });
}
