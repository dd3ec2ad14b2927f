import { and, desc, eq, gte, isNotNull, lt, type SQL, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { auditEvents, managementKeys, webhooks, workspaces } from '../db/schema.ts';

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

/**
 * Where the log of a workspace begins for its present tenant: at its last creation, if that is still
 * kept. A workspace id that was deleted and made again goes on with its log.
 */
export async function findFirstSequence(
  orm: Orm | Transaction,
  workspaceId: string,
): Promise<number> {
  const [created] = await orm
    .select({ sequence: auditEvents.sequence })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.workspaceId, workspaceId),
        eq(auditEvents.targetId, workspaceId),
        eq(auditEvents.action, 'workspace.created'),
      ),
    )
    .orderBy(desc(auditEvents.sequence))
    .limit(1);
  return created?.sequence ?? 0;
}

/** What part of one log is read: from a sequence number on, below another if one is given. */
export interface LogRange {
  workspaceId: string;
  from: number;
  /** As text: what only SQL can have written is beyond the numbers that are exact here. */
  below: string | null;
  /** Whether only what happened to things of the workspace: `default` has entries on others too. */
  ownOnly: boolean;
}

/** One log, newest first. */
export function listAuditEvents(
  orm: Orm | Transaction,
  { workspaceId, from, below, ownOnly }: LogRange,
  filter: AuditFilter,
  limit: number,
) {
  const { sequence } = auditEvents;
  return selectEvents(orm)
    .where(
      and(
        eq(auditEvents.workspaceId, workspaceId),
        ...conditionsOf(filter),
        gte(sequence, from),
        below === null ? undefined : sql`${sequence} < ${below}::bigint`,
        ownOnly ? isOfItsWorkspace() : undefined,
      ),
    )
    .orderBy(desc(sequence))
    .limit(limit);
}

/** The bytes of the same events. */
export function sizesOfAuditEvents(
  ...asked: Parameters<typeof listAuditEvents>
): Promise<number[]> {
  return sizesIn(asked[0], listAuditEvents(...asked));
}

/** Management keys and webhooks for every workspace are on record in `default`, which is one tenant of many. */
export function isOfItsWorkspace(): SQL {
  const isOfAnother = (table: typeof managementKeys | typeof webhooks) => sql`exists (
    select from ${table}
     where ${table.id} = ${auditEvents.targetId}
       and ${table.workspaceId} is distinct from ${auditEvents.workspaceId})`;
  return sql`not ${isOfAnother(managementKeys)} and not ${isOfAnother(webhooks)}`;
}

/** An event of any log. */
export interface EventPosition {
  time: string;
  workspaceId: string;
  /** As text, as above. */
  sequence: string;
}

/** Every log, by time, newest first; after an event, if one is given. */
export function listAllAuditEvents(
  orm: Orm | Transaction,
  after: EventPosition | null,
  filter: AuditFilter,
  limit: number,
) {
  const { time, workspaceId, sequence } = auditEvents;
  const isAfter =
    after &&
    sql`(${time}, ${workspaceId}, ${sequence}) < (${after.time}, ${after.workspaceId}, ${after.sequence}::bigint)`;
  return (
    selectEvents(orm)
      // A forged entry without a time has no place in this order; the log of its workspace shows it.
      .where(and(isNotNull(time), ...conditionsOf(filter), isAfter ?? undefined))
      .orderBy(desc(time), desc(workspaceId), desc(sequence))
      .limit(limit)
  );
}

/** The bytes of the same events. */
export function sizesOfAllAuditEvents(
  ...asked: Parameters<typeof listAllAuditEvents>
): Promise<number[]> {
  return sizesIn(asked[0], listAllAuditEvents(...asked));
}

/** A scan of a sorted page keeps its order. */
async function sizesIn(
  orm: Orm | Transaction,
  events: ReturnType<typeof selectEvents>,
): Promise<number[]> {
  const page = events.as('page');
  const rows = await orm.select({ bytes: sql<number>`octet_length(${page.payload})` }).from(page);
  return rows.map(({ bytes }) => bytes);
}

/** No change writes as much: a larger entry is forged, and shown without its content. */
const MAX_PAYLOAD_BYTES = 8_388_608;

function selectEvents(orm: Orm | Transaction) {
  const { workspaceId, sequence, time, hash } = auditEvents;
  const payload = sql<string>`case when octet_length(${auditEvents.payload}) <= ${MAX_PAYLOAD_BYTES}
                                then ${auditEvents.payload} else '{}' end`.as('payload');
  const position = sql<string>`${sequence}::text`.as('position');
  return orm
    .select({ workspaceId, sequence, position, time, payload, hash })
    .from(auditEvents)
    .$dynamic();
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
