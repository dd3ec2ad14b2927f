import { sql } from 'drizzle-orm';
import { DAY_MS, HOUR_MS } from '../../db/key-predicates.ts';
import { toIso } from '../../domain/time.ts';
import {
  COMPARED_HOURS,
  mostAtThisHour,
  UNUSUAL_USE_HOURS,
  unusualAbove,
} from '../../domain/unusual-use.ts';
import { partsOf } from '../../lib/turns.ts';
import type { Condition, FindInput, Found } from '../condition.ts';
import { withCauses } from './causes.ts';
import { pagesOfUsedKeys, readBusiestDays, readHours } from './hourly-counts.ts';
import { EVERY_QUARTER_MS, lastSettledHour } from './settled-hour.ts';

const YEAR_MS = 365 * DAY_MS;
/** Keys whose whole history one statement reads. */
const HISTORIES = 10;

type Unusual = Omit<Found, 'cause'>;

/** A key that is used far more than ever: the rule is in domain/unusual-use.ts. */
export const USAGE_UNUSUAL: Condition = {
  type: 'usage_unusual',
  everyMs: EVERY_QUARTER_MS,
  concerns: (now) => {
    const day = toIso(lastSettledHour(now)).slice(0, 10);
    return sql`exists (
      select from key_usage u where u.workspace_id = w.id and not u.ended and u.last_used_day >= ${day}::date)`;
  },
  find: async (input) => {
    const hour = lastSettledHour(input.now);
    return withCauses(input, 'usage_unusual', hour, await findUnusual(input, hour));
  },
};

async function findUnusual(input: FindInput, hour: number): Promise<Unusual[]> {
  const found: Unusual[] = [];
  if (input.workspace.thresholds.unusualFactor === null) return found;
  for await (const keyIds of pagesOfUsedKeys(input, hour)) {
    const candidates = await beyondThisHour(input, hour, await busyKeys(input, hour, keyIds));
    for (const part of partsOf(candidates.sort(), { items: HISTORIES })) {
      found.push(...(await judge(input, hour, part)));
      if (found.length >= input.limit) return found.slice(0, input.limit);
    }
  }
  return found;
}

/** Those of a page with more than the minimum, which are few. */
async function busyKeys({ read, workspace }: FindInput, hour: number, keyIds: readonly string[]) {
  const range = { from: hour, to: hour };
  const counts = await readHours(read, { workspaceId: workspace.id, keyIds, ...range });
  const { unusualMinimum } = workspace.thresholds;
  return [...counts].flatMap(([id, hours]) =>
    (hours.get(hour) ?? 0) >= unusualMinimum ? [id] : [],
  );
}

/** What most busy keys are not, which spares the reading of their histories. */
async function beyondThisHour(
  { read, workspace }: FindInput,
  hour: number,
  keyIds: readonly string[],
): Promise<string[]> {
  if (keyIds.length === 0) return [];
  const agos = [0, ...COMPARED_HOURS];
  const hours = agos.map((ago) => hour - ago * HOUR_MS);
  const range = { from: Math.min(...hours), to: hour, hours };
  const counts = await readHours(read, { workspaceId: workspace.id, keyIds, ...range });
  const factor = workspace.thresholds.unusualFactor ?? 0;
  return keyIds.filter((id) => {
    const own = backwards(counts.get(id), hour);
    return (own[0] ?? 0) > factor * mostAtThisHour(own);
  });
}

async function judge(input: FindInput, hour: number, keyIds: readonly string[]) {
  const { read, workspace } = input;
  const { unusualFactor, unusualMinimum: minimum } = workspace.thresholds;
  const selection = { workspaceId: workspace.id, keyIds };
  const from = hour - (UNUSUAL_USE_HOURS - 1) * HOUR_MS;
  const counts = await readHours(read, { ...selection, from, to: hour });
  const busiest = await readBusiestDays(read, { ...selection, from: from - YEAR_MS, to: from });
  return keyIds.flatMap((id): Unusual[] => {
    const hours = backwards(counts.get(id), hour);
    const history = { hours, busiestDay: busiest.get(id) ?? 0 };
    const above = unusualAbove(history, { factor: unusualFactor ?? 0, minimum });
    if (above === null) return [];
    const details = { hour: toIso(hour), verifications: hours[0] ?? 0, unusualAbove: above };
    return [{ targetType: 'key', targetId: id, details }];
  });
}

function backwards(counts: ReadonlyMap<number, number> | undefined, hour: number): number[] {
  const at = (ago: number) => counts?.get(hour - ago * HOUR_MS) ?? 0;
  return Array.from({ length: UNUSUAL_USE_HOURS }, (_, ago) => at(ago));
}
