import { sql } from 'drizzle-orm';
import { HOUR_MS } from '../../db/key-predicates.ts';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput, Found } from '../condition.ts';
import { withCauses } from './causes.ts';
import { pagesOfUsedKeys, readHours } from './hourly-counts.ts';
import { EVERY_QUARTER_MS, lastSettledHour } from './settled-hour.ts';

const HOURS = 24;
const CODE = 'RATE_LIMITED';

type Limited = Omit<Found, 'cause'>;

/** A key that was limited in many of the last 24 hours, be it once in each. */
export const LIMITED_OFTEN: Condition = {
  type: 'limited_often',
  everyMs: EVERY_QUARTER_MS,
  concerns: () => sql`exists (
    select from usage_recent r where r.workspace_id = w.id and r.code = ${CODE})`,
  find: async (input) => {
    const hour = lastSettledHour(input.now);
    return withCauses(input, 'limited_often', hour, await findLimited(input, hour));
  },
};

async function findLimited(input: FindInput, to: number): Promise<Limited[]> {
  const { read, workspace, limit } = input;
  const { limitedHours } = workspace.thresholds;
  const found: Limited[] = [];
  if (limitedHours === null) return found;
  const range = { from: to - (HOURS - 1) * HOUR_MS, to, code: CODE };
  for await (const keyIds of pagesOfUsedKeys(input, range.from)) {
    const counts = await readHours(read, { workspaceId: workspace.id, keyIds, ...range });
    const often = [...counts].filter(([, hours]) => hours.size >= limitedHours);
    found.push(...often.map(([id, hours]) => toFound(id, hours, to)).sort(byTarget));
    if (found.length >= limit) return found.slice(0, limit);
  }
  return found;
}

function toFound(targetId: string, hours: ReadonlyMap<number, number>, to: number): Limited {
  const limited = [...hours.values()].reduce((sum, count) => sum + count, 0);
  const until = toIso(to + HOUR_MS);
  return { targetType: 'key', targetId, details: { hours: hours.size, limited, until } };
}

function byTarget(one: Limited, other: Limited): number {
  return one.targetId < other.targetId ? -1 : 1;
}
