import { and, desc, eq, gte, lt } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { auditEvents, workspaces } from '../db/schema.ts';

export interface AuditFilter {
  action?: string;
  actorId?: string;
  onBehalfOf?: string;
  targetId?: string;
  after?: string;
  before?: string;
}

/** Whether there is or was such a workspace: the log of a deleted one stays readable. */
export async function hasLog(orm: Orm, workspaceId: string): Promise<boolean> {
  const found = await orm
    .select({ id: workspaces.id })
    .from(workspaces)
    .where(eq(workspaces.id, workspaceId));
  return found.length === 1;
}

/** Newest first, below a sequence number if one is given. */
export async function listAuditEvents(
  orm: Orm,
  workspaceId: string,
  filter: AuditFilter,
  below: number | null,
  limit: number,
) {
  const { sequence, payload, hash } = auditEvents;
  return orm
    .select({ sequence, payload, hash })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.workspaceId, workspaceId),
        ...conditionsOf(filter),
        below === null ? undefined : lt(sequence, below),
      ),
    )
    .orderBy(desc(sequence))
    .limit(limit);
}

function conditionsOf({ action, actorId, onBehalfOf, targetId, after, before }: AuditFilter) {
  return [
    action === undefined ? undefined : eq(auditEvents.action, action),
    actorId === undefined ? undefined : eq(auditEvents.actorId, actorId),
    onBehalfOf === undefined ? undefined : eq(auditEvents.onBehalfOf, onBehalfOf),
    targetId === undefined ? undefined : eq(auditEvents.targetId, targetId),
    after === undefined ? undefined : gte(auditEvents.time, after),
    before === undefined ? undefined : lt(auditEvents.time, before),
  ];
}
