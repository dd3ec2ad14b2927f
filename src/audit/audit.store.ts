import { and, desc, eq, gte, lt } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { auditEvents } from '../db/schema.ts';

export interface AuditFilter {
  action?: string;
  actorId?: string;
  onBehalfOf?: string;
  targetId?: string;
  after?: string;
  before?: string;
}

/** Newest first, below the given sequence number. */
export async function listAuditEvents(
  orm: Orm,
  workspaceId: string,
  filter: AuditFilter,
  below: number | null,
  limit: number,
) {
  const is = (column: Parameters<typeof eq>[0], value: string | undefined) =>
    value === undefined ? undefined : eq(column, value);
  return orm
    .select({
      sequence: auditEvents.sequence,
      payload: auditEvents.payload,
      hash: auditEvents.hash,
    })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.workspaceId, workspaceId),
        is(auditEvents.action, filter.action),
        is(auditEvents.actorId, filter.actorId),
        is(auditEvents.onBehalfOf, filter.onBehalfOf),
        is(auditEvents.targetId, filter.targetId),
        filter.after === undefined ? undefined : gte(auditEvents.time, filter.after),
        filter.before === undefined ? undefined : lt(auditEvents.time, filter.before),
        below === null ? undefined : lt(auditEvents.sequence, below),
      ),
    )
    .orderBy(desc(auditEvents.sequence))
    .limit(limit);
}
