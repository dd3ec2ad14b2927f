import { type SQL, sql } from 'drizzle-orm';
import { among, DAY_MS, HOUR_MS, living, UNUSED_KEYS } from '../../db/key-predicates.ts';
import { readInstant } from '../../db/stored-types.ts';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput, Found } from '../condition.ts';

interface Row extends Record<string, unknown> {
  id: string;
  lastUsedAt: string | null;
  since: string;
}

/** The order of their indexes. */
const ORDERS = { used: sql`u.last_used_day, u.key_id`, never: sql`u.key_id` };

function unusedQuery(kind: keyof typeof ORDERS, input: FindInput, warnAfterDays: number): SQL {
  const { workspace, now, limit, targets } = input;
  const before = new Date(now.getTime() - warnAfterDays * DAY_MS);
  const { since, where } = UNUSED_KEYS[kind];
  // What is disabled is idle by design; but who disables it because of an alert does not end that.
  const inForce = targets ? sql`true` : sql`k.enabled`;
  return sql`select k.id, u.last_used_at as "lastUsedAt", ${since} as since
               from key_usage u join keys k on k.workspace_id = u.workspace_id and k.id = u.key_id
              where u.workspace_id = ${workspace.id} and ${where(before)}
                and ${living(now)} and ${inForce}
                ${among(sql`u.key_id`, targets)}
              order by ${ORDERS[kind]} limit ${limit}`;
}

/** Keys that nobody has used for as long as the idle policy says. */
export const KEY_UNUSED: Condition = {
  type: 'key_unused',
  everyMs: HOUR_MS,
  find: async (input) => {
    const days = input.workspace.idlePolicy.warnAfterDays;
    if (days === null) return [];
    const used = await input.read<Row>(unusedQuery('used', input, days));
    const limit = input.limit - used.length;
    const never =
      limit === 0 ? [] : await input.read<Row>(unusedQuery('never', { ...input, limit }, days));
    return [...used, ...never].map((row) => toFound(row, days));
  },
};

function toFound({ id, lastUsedAt, since }: Row, warnAfterDays: number): Found {
  const unusedSince = toIso(readInstant(since));
  const details = {
    lastUsedAt: lastUsedAt === null ? null : toIso(readInstant(lastUsedAt)),
    unusedSince,
    warnAfterDays,
  };
  return { targetType: 'key', targetId: id, cause: unusedSince, details };
}
