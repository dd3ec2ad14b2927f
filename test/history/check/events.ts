import type { AuditEntry, Delivery, Entry, Received, Violation } from '../history.ts';

/**
 * Every entry of the audit log since the webhook was made waits for it or was accepted by it, and of one
 * thing no event is sent before those that came before it were accepted.
 */
export function checkEvents(history: readonly Entry[]): Violation[] {
  const deliveries = history.filter((entry): entry is Delivery => entry.type === 'delivery');
  const received = Map.groupBy(
    history.filter((entry): entry is Received => entry.type === 'received'),
    ({ eventId }) => eventId,
  );
  return [
    ...lost(history, new Set(deliveries.map(({ eventId }) => eventId))),
    ...deliveries.flatMap((delivery) => misreported(delivery, received.get(delivery.eventId))),
    ...outOfOrder(deliveries, received),
  ].map((what) => ({ promise: 'events', what }));
}

function lost(history: readonly Entry[], queued: ReadonlySet<string>): string[] {
  const entries = history.filter((entry): entry is AuditEntry => entry.type === 'audit');
  const made = entries.find(({ action }) => action === 'webhook.created');
  if (!made) return [];
  const isSince = ({ workspaceId, sequence }: AuditEntry) =>
    workspaceId !== made.workspaceId || sequence > made.sequence;
  return entries
    .filter((entry) => isSince(entry) && !queued.has(entry.eventId))
    .map(({ action, targetId }) => `${action} of ${targetId} was never queued`);
}

function misreported({ eventId, status }: Delivery, attempts: readonly Received[] = []): string[] {
  if (status === 'failed') return [`the delivery of ${eventId} was given up`];
  if (status === 'pending' || attempts.some(({ accepted }) => accepted)) return [];
  return [`${eventId} counts as delivered and never was`];
}

function outOfOrder(
  deliveries: readonly Delivery[],
  received: ReadonlyMap<string, readonly Received[]>,
): string[] {
  const bySubject = Map.groupBy(deliveries, ({ subject }) => subject);
  return [...bySubject.values()].flatMap((own) =>
    own.slice(1).flatMap(({ eventId }, index) => {
      const first = received.get(eventId)?.[0];
      const before = own[index];
      const isDone = received.get(before?.eventId ?? '')?.find(({ accepted }) => accepted);
      if (!first || (isDone && isDone.at < first.at)) return [];
      return [`${eventId} was sent before ${before?.eventId} was accepted`];
    }),
  );
}
