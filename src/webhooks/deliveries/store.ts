import { and, desc, eq, lt, type SQL, sql } from 'drizzle-orm';
import { findFirstSequence, isOfItsWorkspace } from '../../audit/listing.ts';
import type { Orm, Transaction } from '../../db/database.ts';
import { auditEvents, webhookDeliveries, webhooks } from '../../db/schema.ts';
import type { WebhookRow } from '../store.ts';
import type { DeliveryAttempt } from './schemas.ts';

/** How many rows one step of housekeeping deletes: some ten milliseconds. */
const STEP = 5000;

export type DeliveryRow = Awaited<ReturnType<typeof selectDeliveries>>[number];

export interface DeliveryFilter {
  status?: DeliveryRow['status'] | undefined;
  eventType?: string | undefined;
}

/** Newest first, before a position if one is given. */
export function listDeliveries(
  db: Orm | Transaction,
  webhookId: string,
  { status, eventType }: DeliveryFilter,
  before: number | null,
  limit: number,
) {
  return selectDeliveries(db)
    .where(
      and(
        eq(webhookDeliveries.webhookId, webhookId),
        status === undefined ? undefined : eq(webhookDeliveries.status, status),
        eventType === undefined ? undefined : eq(webhookDeliveries.eventType, eventType),
        before === null ? undefined : lt(webhookDeliveries.position, before),
      ),
    )
    .orderBy(desc(webhookDeliveries.position))
    .limit(limit);
}

export async function findDelivery(
  tx: Transaction,
  webhookId: string,
  id: string,
): Promise<DeliveryRow | null> {
  const isIt = and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.webhookId, webhookId));
  const [row] = await selectDeliveries(tx).where(isIt);
  return row ?? null;
}

/** Makes what waits for a subject due now. Returns it, the oldest first. */
export async function makeDue(
  tx: Transaction,
  webhookId: string,
  subject: string,
  at: Date,
): Promise<DeliveryRow[]> {
  const isWaiting = and(
    eq(webhookDeliveries.webhookId, webhookId),
    eq(webhookDeliveries.subject, subject),
    eq(webhookDeliveries.status, 'pending'),
  );
  await tx.update(webhookDeliveries).set({ dueAt: at }).where(isWaiting);
  return selectDeliveries(tx).where(isWaiting).orderBy(webhookDeliveries.position);
}

export interface QueuedEvent {
  /** Null: a test event. */
  workspaceId: string | null;
  sequence: number | null;
  eventId: string;
  eventType: string;
  subject: string;
}

/** Puts an event behind those that wait. */
export async function queueEvent(
  tx: Transaction,
  webhookId: string,
  event: QueuedEvent,
  at: Date,
): Promise<DeliveryRow> {
  const { workspaceId, sequence, eventId, eventType, subject } = event;
  const values = { workspaceId, sequence, eventId, eventType, subject };
  const [made] = await tx
    .insert(webhookDeliveries)
    .values({ webhookId, ...values, createdAt: at, dueAt: at })
    .returning({ id: webhookDeliveries.id });
  const row = made && (await findDelivery(tx, webhookId, made.id));
  if (!row) throw new Error('an insert returns its row');
  return row;
}

/** Whether the audit log still has the event. */
export async function isInAuditLog(
  tx: Transaction,
  { workspaceId, sequence, eventId }: QueuedEvent,
): Promise<boolean> {
  if (workspaceId === null || sequence === null) return true;
  const isIt = and(
    eq(auditEvents.workspaceId, workspaceId),
    eq(auditEvents.sequence, sequence),
    eq(auditEvents.id, eventId),
  );
  return (await tx.$count(auditEvents, isIt)) > 0;
}

/** RFC 3339 in UTC. */
export interface TimeRange {
  after: string;
  before: string;
}

/**
 * Queues what the webhook takes of the audit logs, as the trigger on them does: in the order of each log,
 * and for one workspace only what happened to things of its present tenant. Returns how many.
 */
export async function queueRange(
  tx: Transaction,
  webhook: WebhookRow,
  { after, before }: TimeRange,
  at: Date,
  limit: number,
): Promise<number> {
  const { workspaceId, sequence, id, action, targetId, time } = auditEvents;
  const types =
    webhook.eventTypes && sql`and ${action} = any(${sql.param(webhook.eventTypes)}::text[])`;
  const { rowCount } = await tx.execute(sql`
    insert into ${webhookDeliveries}
      (webhook_id, workspace_id, sequence, event_id, event_type, subject, created_at, due_at)
    select ${webhook.id}, chosen.*, ${at.toISOString()}::timestamptz, ${at.toISOString()}::timestamptz
      from (select ${workspaceId}, ${sequence}, ${id}, ${action}, coalesce(${targetId}, '') as subject
              from ${auditEvents}
             where ${time} >= ${after} and ${time} < ${before}
               and ${id} is not null and ${action} is not null
               ${await ofWebhook(tx, webhook)} ${types ?? sql``} and ${isNotWaiting(webhook.id)}
             order by ${time}, ${workspaceId}, ${sequence} limit ${limit}) chosen
     order by chosen.workspace_id, chosen.sequence`);
  return rowCount ?? 0;
}

async function ofWebhook(tx: Transaction, { workspaceId }: WebhookRow): Promise<SQL> {
  if (workspaceId === null) return sql``;
  const first = await findFirstSequence(tx, workspaceId);
  return sql`and ${auditEvents.workspaceId} = ${workspaceId} and ${auditEvents.sequence} >= ${first}
             and ${isOfItsWorkspace()}`;
}

function isNotWaiting(webhookId: string): SQL {
  return sql`not exists (
    select from ${webhookDeliveries} waiting
     where waiting.webhook_id = ${webhookId} and waiting.status = 'pending'
       and waiting.subject = coalesce(${auditEvents.targetId}, '')
       and waiting.event_id = ${auditEvents.id})`;
}

/** Deletes some of the deliveries of deleted webhooks, which nobody can see or send any more. */
export async function deleteDeliveriesOfEnded(orm: Orm): Promise<void> {
  await orm.execute(sql`
    delete from ${webhookDeliveries} where position = any(array(
      select d.position from ${webhooks} w join ${webhookDeliveries} d on d.webhook_id = w.id
       where w.deleted_at is not null limit ${STEP}))`);
}

function selectDeliveries(db: Orm | Transaction) {
  const { position, id, webhookId, workspaceId, sequence, eventId, eventType } = webhookDeliveries;
  const { subject, createdAt, status, dueAt, finishedAt } = webhookDeliveries;
  const attempts = sql<DeliveryAttempt[]>`${webhookDeliveries.attempts}`;
  return db
    .select({
      ...{ position, id, webhookId, workspaceId, sequence, eventId, eventType },
      ...{ subject, createdAt, status, dueAt, finishedAt, attempts },
    })
    .from(webhookDeliveries)
    .$dynamic();
}
