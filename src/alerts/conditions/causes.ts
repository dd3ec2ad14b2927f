import { and, eq, isNull } from 'drizzle-orm';
import { anyOf } from '../../db/any-of.ts';
import { alerts } from '../../db/schema.ts';
import { toIso } from '../../domain/time.ts';
import type { Condition, FindInput, Found } from '../condition.ts';

/**
 * Gives each finding its cause: that of its open alert, so that what goes on stays one, or the day, so that
 * what comes and goes is alerted once a day.
 */
export async function withCauses(
  { orm, workspace }: FindInput,
  type: Condition['type'],
  hour: number,
  found: readonly Omit<Found, 'cause'>[],
): Promise<Found[]> {
  if (found.length === 0) return [];
  const targets = found.map(({ targetId }) => targetId);
  const open = await orm
    .select({ targetId: alerts.targetId, cause: alerts.cause })
    .from(alerts)
    .where(
      and(
        eq(alerts.workspaceId, workspace.id),
        eq(alerts.type, type),
        anyOf(alerts.targetId, targets),
        isNull(alerts.endedAt),
      ),
    );
  const causes = new Map(open.map(({ targetId, cause }) => [targetId, cause]));
  const day = toIso(hour).slice(0, 10);
  return found.map((one) => ({ ...one, cause: causes.get(one.targetId) ?? day }));
}
