import { type SQL, sql } from 'drizzle-orm';
import { among, at, NOT_ENDED } from '../../db/key-predicates.ts';
import { toIso } from '../../domain/time.ts';
import type { FindInput, Read } from '../condition.ts';

/** As many keys are looked at by one statement. */
const PAGE = 1000;

interface UsedRow extends Record<string, unknown> {
  id: string;
  used: boolean;
}

/** The keys of a workspace that were presented since then, in pages by id. Revoked ones are in none. */
export async function* pagesOfUsedKeys(
  { read, workspace, targets }: FindInput,
  since: number,
): AsyncGenerator<string[]> {
  for (let after: string | null = ''; after !== null; ) {
    const rows: UsedRow[] = await read<UsedRow>(
      sql`select k.id, coalesce(greatest(u.last_used_at, u.last_denied_at) >= ${at(since)}, false) as used
            from keys k left join key_usage u on u.key_id = k.id
           where k.workspace_id = ${workspace.id} and k.id > ${after} and ${NOT_ENDED}
             ${among(sql`k.id`, targets)}
           order by k.id limit ${PAGE}`,
    );
    const ids = rows.filter(({ used }) => used).map(({ id }) => id);
    if (ids.length > 0) yield ids;
    after = rows.length < PAGE ? null : (rows.at(-1)?.id ?? null);
  }
}

export interface HourlySelection {
  workspaceId: string;
  keyIds: readonly string[];
  /** The first and the last hour, in epoch milliseconds. */
  from: number;
  to: number;
  /** Of these alone. */
  hours?: readonly number[];
  code?: string;
}

interface HourRow extends Record<string, unknown> {
  keyId: string;
  /** In epoch milliseconds. */
  hour: number;
  count: number;
}

/** Verifications by key and hour; each is in one of the two tables. */
export async function readHours(
  read: Read,
  selection: HourlySelection,
): Promise<Map<string, Map<number, number>>> {
  const where = conditions(selection);
  const rows = await read<HourRow>(
    sql`select key_id as "keyId", extract(epoch from hour)::float8 * 1000 as hour, sum(count)::float8 as count
          from (select key_id, hour, count from usage_hours where ${where}
                union all
                select key_id, hour, count from usage_recent where ${where}) as counted
         group by key_id, hour`,
  );
  const byKey = Map.groupBy(rows, ({ keyId }) => keyId);
  const hoursOf = (own: HourRow[]) => new Map(own.map(({ hour, count }) => [hour, count]));
  return new Map([...byKey].map(([keyId, own]) => [keyId, hoursOf(own)]));
}

function conditions({ workspaceId, keyIds, from, to, hours, code }: HourlySelection): SQL {
  const listed = hours && sql.param(hours.map((hour) => toIso(hour)));
  return sql.join(
    [
      sql`workspace_id = ${workspaceId} and key_id = any(${sql.param([...keyIds])})`,
      sql`hour >= ${at(from)} and hour <= ${at(to)}`,
      ...(listed ? [sql`hour = any(${listed}::timestamptz[])`] : []),
      ...(code === undefined ? [] : [sql`code = ${code}`]),
    ],
    sql` and `,
  );
}

/** Most verifications on one of the days from `from` to before `to`, by key; none: it was not used. */
export async function readBusiestDays(
  read: Read,
  { workspaceId, keyIds, from, to }: Omit<HourlySelection, 'hours' | 'code'>,
): Promise<Map<string, number>> {
  const day = (time: number) => toIso(time).slice(0, 10);
  const rows = await read<{ keyId: string; most: number }>(
    sql`select key_id as "keyId", max(count)::float8 as most
          from (select key_id, day, sum(count) as count from usage_days
                 where workspace_id = ${workspaceId} and key_id = any(${sql.param([...keyIds])})
                   and day >= ${day(from)}::date and day < ${day(to)}::date
                 group by key_id, day) as days
         group by key_id`,
  );
  return new Map(rows.map(({ keyId, most }) => [keyId, most]));
}
