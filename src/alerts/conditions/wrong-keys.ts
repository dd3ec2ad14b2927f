import { sql } from 'drizzle-orm';
import type { Orm } from '../../db/database.ts';
import { runInTime } from '../../db/statement-timeout.ts';
import { DEFAULT_WORKSPACE } from '../../domain/caller.ts';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput, Found } from '../condition.ts';
import { withCauses } from './causes.ts';
import { EVERY_QUARTER_MS, lastSettledHour } from './settled-hour.ts';

/** Many strings that match no key, asked about in one hour: somebody guesses, or lost a configuration. */
export const WRONG_KEYS: Condition = {
  type: 'wrong_keys',
  everyMs: EVERY_QUARTER_MS,
  find: async (input) => {
    const hour = lastSettledHour(input.now);
    return withCauses(input, 'wrong_keys', hour, await findWrongKeys(input, hour));
  },
};

async function findWrongKeys(
  { orm, workspace, targets }: FindInput,
  hour: number,
): Promise<Omit<Found, 'cause'>[]> {
  const { id, createdAt, thresholds } = workspace;
  const { wrongKeysPerHour } = thresholds;
  // What was counted for a former tenant of the same id is not of this one.
  if (wrongKeysPerHour === null || hour < createdAt.getTime()) return [];
  if (targets && !targets.includes(id)) return [];
  const attempts = await countUnmatched(orm, id, toIso(hour));
  if (attempts < wrongKeysPerHour) return [];
  const details = { hour: toIso(hour), attempts };
  return [{ targetType: 'workspace', targetId: id, details }];
}

/** The name under which attempts are counted that asked about no workspace in particular. */
const ANY_WORKSPACE = '*';

/** In the table of today, or where retention has moved it. What is of no workspace is of the default one. */
async function countUnmatched(orm: Orm, workspaceId: string, hour: string): Promise<number> {
  const names = workspaceId === DEFAULT_WORKSPACE ? [workspaceId, ANY_WORKSPACE] : [workspaceId];
  const among = sql`workspace_id = any(${sql.param(names)}) and hour = ${hour}::timestamptz`;
  const [row] = await runInTime<{ attempts: number }>(
    orm,
    sql`select coalesce(sum(count), 0)::float8 as attempts
          from (select count from usage_unmatched where ${among}
                union all
                select count from usage_hours
                 where ${among} and key_id = '' and code = 'NOT_FOUND') as counted`,
  );
  return row?.attempts ?? 0;
}
