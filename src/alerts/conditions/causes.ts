import { sql } from 'drizzle-orm';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput, Found } from '../condition.ts';

/**
 * Gives each finding its cause: that of its open alert, so that what goes on stays one, or the day, so that
 * what comes and goes is alerted once a day.
 */
export async function withCauses(
  { read, workspace }: FindInput,
  type: Condition['type'],
  hour: number,
  found: readonly Omit<Found, 'cause'>[],
): Promise<Found[]> {
  if (found.length === 0) return [];
  const targets = found.map(({ targetId }) => targetId);
  const open = await read<{ targetId: string; cause: string }>(
    sql`select target_id as "targetId", cause from alerts
         where workspace_id = ${workspace.id} and type = ${type} and ended_at is null
           and target_id = any(${sql.param(targets)})`,
  );
  const causes = new Map(open.map(({ targetId, cause }) => [targetId, cause]));
  const day = toIso(hour).slice(0, 10);
  return found.map((one) => ({ ...one, cause: causes.get(one.targetId) ?? day }));
}
