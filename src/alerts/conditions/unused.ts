import { type SQL, sql } from 'drizzle-orm';
import { readInstant } from '../../db/stored-types.ts';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput, Found } from '../condition.ts';
import { among, at, DAY_MS, HOUR_MS, living } from './look.ts';

interface Row extends Record<string, unknown> {
  id: string;
  lastUsedAt: string | null;
  since: string;
}

/** When keys that were used once became idle, and those that never were: each follows its index. */
const KINDS = {
  used: {
    since: sql`greatest(u.last_used_at, k.not_before)`,
    where: (before: Date) => {
      const day = before.toISOString().slice(0, 10);
      return sql`u.last_used_day <= ${day}::date and not u.ended`;
    },
    order: sql`u.last_used_day, u.key_id`,
  },
  never: {
    since: sql`greatest(k.created_at, k.not_before)`,
    where: () => sql`u.last_used_day is null and not u.ended`,
    order: sql`u.key_id`,
  },
};

function unusedQuery(kind: keyof typeof KINDS, input: FindInput, warnAfterDays: number): SQL {
  const { workspace, now, limit, targets } = input;
  const before = new Date(now.getTime() - warnAfterDays * DAY_MS);
  const { since, where, order } = KINDS[kind];
  // What is disabled is idle by design; but who disables it because of an alert does not end that.
  const inForce = targets ? sql`true` : sql`k.enabled`;
  return sql`select k.id, u.last_used_at as "lastUsedAt", ${since} as since
               from key_usage u join keys k on k.workspace_id = u.workspace_id and k.id = u.key_id
              where u.workspace_id = ${workspace.id} and ${where(before)}
                and ${since} < ${at(before)} and ${living(now)} and ${inForce}
                ${among(sql`u.key_id`, targets)}
              order by ${order} limit ${limit}`;
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
