import type { CallContext } from '../../call-context.ts';
import type { Orm } from '../../db/database.ts';
import { newId } from '../../domain/key-string.ts';
import { toIso } from '../../domain/time.ts';
import { invalidField, KeywardError } from '../../errors.ts';
import { badCursor, type CursorPosition } from '../../http/cursor.ts';
import { listName, readPage } from '../../http/page.ts';
import { readInTime } from '../../http/read-in-time.ts';
import type { CallResult } from '../../http/reply.ts';
import { authorityOf, lockAuthority } from '../../management/grants.ts';
import type { UnitOfWork, WriteContext } from '../../unit-of-work/unit-of-work.ts';
import { auditWebhook } from '../audit.ts';
import { requireAuditReader } from '../change.ts';
import { findWebhook, lockWebhook, type WebhookRow } from '../store.ts';
import {
  type Delivery,
  type DeliveryPage,
  type ListDeliveries,
  PING,
  type Redeliver,
  type Redelivery,
} from './schemas.ts';
import {
  type DeliveryRow,
  findDelivery,
  isInAuditLog,
  listDeliveries,
  makeDue,
  queueEvent,
  queueRange,
  type TimeRange,
} from './store.ts';

/** Queuing as many takes a second. */
const MAX_EVENTS = 10_000;
/** Test events wait for nothing but each other, so one at a time waits. */
const PING_SUBJECT = 'ping';

/** What is sent to a webhook: the record of it, and what is sent on request. */
export class DeliveriesService {
  readonly #orm: Orm;
  readonly #unitOfWork: UnitOfWork;

  constructor(orm: Orm, unitOfWork: UnitOfWork) {
    this.#orm = orm;
    this.#unitOfWork = unitOfWork;
  }

  async list(call: CallContext, id: string, query: ListDeliveries): Promise<DeliveryPage> {
    if (!(await findWebhook(this.#orm, id, call.caller.workspaceId))) {
      throw new KeywardError('NOT_FOUND');
    }
    const { rows, nextCursor } = await readPage(query, {
      name: listName(`deliveries:${id}`, query),
      read: (after, limit) =>
        readInTime(this.#orm, (tx) => listDeliveries(tx, id, query, positionOf(after), limit)),
      positionOf: ({ position }) => ({ value: null, id: String(position) }),
    });
    return { data: rows.map(presentDelivery), nextCursor };
  }

  /** Queues a test event; one that waits already is due now instead. */
  ping(call: CallContext, id: string): Promise<CallResult<Delivery>> {
    return this.#unitOfWork.run(call, async (write) => {
      const { tx, at } = write;
      const webhook = await lockEnabled(write, call, id);
      const [waiting] = await makeDue(tx, id, PING_SUBJECT, at);
      const event = { eventId: newId('evt'), eventType: PING, subject: PING_SUBJECT };
      const row =
        waiting ?? (await queueEvent(tx, id, { workspaceId: null, sequence: null, ...event }, at));
      auditWebhook(write, 'pinged', webhook, { after: { eventId: row.eventId } });
      return { body: presentDelivery(row) };
    });
  }

  redeliver(call: CallContext, id: string, input: Redeliver): Promise<CallResult<Redelivery>> {
    const { deliveryId } = input;
    if ((deliveryId === undefined) === (input.after === undefined)) {
      throw invalidField('/body', 'give either `deliveryId` or `after`');
    }
    if (deliveryId === undefined) return this.#redeliverRange(call, id, input);
    if (input.before !== undefined) throw invalidField('/body/before', 'needs `after`');
    return this.#unitOfWork.run(call, async (write) => {
      const webhook = await lockEnabled(write, call, id);
      const queued = await redeliverOne(write, webhook, deliveryId);
      auditWebhook(write, 'redelivered', webhook, { after: { deliveryId, queued } });
      return { body: { queued } };
    });
  }

  /** From the audit log, so the caller could have read it. */
  #redeliverRange(call: CallContext, id: string, input: Redeliver) {
    requireAuditReader(authorityOf(call.caller));
    return this.#unitOfWork.run(call, async (write) => {
      const { tx, at } = write;
      requireAuditReader(await lockAuthority(tx, call.caller, at));
      const webhook = await lockEnabled(write, call, id);
      const range = rangeOf(input, at);
      const queued = await queueRange(tx, webhook, range, at, MAX_EVENTS + 1);
      if (queued > MAX_EVENTS) throw new KeywardError('TOO_MANY_EVENTS');
      auditWebhook(write, 'redelivered', webhook, { after: { ...range, queued } });
      return { body: { queued } };
    });
  }
}

/** What would wait for a disabled webhook is not asked for. */
async function lockEnabled({ tx }: WriteContext, call: CallContext, id: string) {
  const webhook = await lockWebhook(tx, id, call.caller.workspaceId);
  if (!webhook) throw new KeywardError('NOT_FOUND');
  if (!webhook.enabled) throw new KeywardError('WEBHOOK_DISABLED');
  return webhook;
}

/** Returns how many events were queued: none if it waits already, which is then due now. */
async function redeliverOne(
  { tx, at }: WriteContext,
  { id }: WebhookRow,
  deliveryId: string,
): Promise<number> {
  const delivery = await findDelivery(tx, id, deliveryId);
  if (!delivery) throw new KeywardError('NOT_FOUND', 'The webhook has no such delivery.');
  const waiting = await makeDue(tx, id, delivery.subject, at);
  if (waiting.some(({ eventId }) => eventId === delivery.eventId)) return 0;
  if (!(await isInAuditLog(tx, delivery))) {
    throw new KeywardError('NOT_FOUND', 'The audit log does not have the event any more.');
  }
  await queueEvent(tx, id, delivery, at);
  return 1;
}

function rangeOf({ after = '', before }: Redeliver, at: Date): TimeRange {
  const until = before === undefined ? at : new Date(before);
  return { after: toIso(new Date(after)), before: toIso(until) };
}

function positionOf(cursor: CursorPosition | null): number | null {
  if (cursor === null) return null;
  if (!/^\d{1,15}$/.test(cursor.id)) throw badCursor();
  return Number(cursor.id);
}

function presentDelivery(row: DeliveryRow): Delivery {
  const { id, webhookId, eventId, eventType, workspaceId, status, attempts } = row;
  return {
    ...{ id, webhookId, eventId, eventType, workspaceId, status },
    createdAt: toIso(row.createdAt),
    nextAttemptAt: toIso(status === 'pending' ? row.dueAt : null),
    finishedAt: toIso(row.finishedAt),
    attempts,
  };
}
