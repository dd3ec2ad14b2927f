import { type SQL, sql } from 'drizzle-orm';
import { at } from '../../db/key-predicates.ts';
import { DEFAULT_WORKSPACE } from '../../domain/caller.ts';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput, Found } from '../condition.ts';
import { withCauses } from './causes.ts';
import { EVERY_QUARTER_MS, lastSettledHour } from './settled-hour.ts';

/** Many strings that match no key, asked about in one hour: somebody guesses, or lost a configuration. */
export const WRONG_KEYS: Condition = {
  type: 'wrong_keys',
  everyMs: EVERY_QUARTER_MS,
  concerns: (now) => sql`exists (${unmatched(sql`w.id`, lastSettledHour(now))})`,
  find: async (input) => {
    const hour = lastSettledHour(input.now);
    return withCauses(input, 'wrong_keys', hour, await findWrongKeys(input, hour));
  },
};

async function findWrongKeys(
  { read, workspace, targets }: FindInput,
  hour: number,
): Promise<Omit<Found, 'cause'>[]> {
  const { id, createdAt, thresholds } = workspace;
  const { wrongKeysPerHour } = thresholds;
  // What was counted for a former tenant of the same id is not of this one.
  if (wrongKeysPerHour === null || hour < createdAt.getTime()) return [];
  if (targets && !targets.includes(id)) return [];
  const sum = sql`select coalesce(sum(count), 0)::float8 as attempts`;
  const [row] = await read<{ attempts: number }>(
    sql`${sum} from (${unmatched(sql`${id}`, hour)}) as counted`,
  );
  const attempts = row?.attempts ?? 0;
  if (attempts < wrongKeysPerHour) return [];
  const details = { hour: toIso(hour), attempts };
  return [{ targetType: 'workspace', targetId: id, details }];
}

/** Under this name attempts are counted that asked about no workspace in particular. */
const ANY_WORKSPACE = '*';

/**
 * The counts of an hour, in the table of today or where retention has moved them. Those of no workspace are
 * the default one's.
 */
function unmatched(workspaceId: SQL, hour: number): SQL {
  const other = sql`case when ${workspaceId} = ${DEFAULT_WORKSPACE} then ${ANY_WORKSPACE} end`;
  const where = sql`workspace_id = any(array[${workspaceId}, ${other}]) and hour = ${at(hour)}`;
  return sql`select count from usage_unmatched where ${where}
             union all
             select count from usage_hours
              where ${where} and key_id = '' and code = 'NOT_FOUND'`;
}
