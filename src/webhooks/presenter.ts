import { toIso } from '../domain/time.ts';
import { etagOf, type Versioned } from '../http/etag.ts';
import type { Webhook } from './schemas.ts';
import type { WebhookRow } from './store.ts';

/** A webhook as answers show it. */
export function presentWebhook(row: WebhookRow, now: Date): Webhook {
  const { id, workspaceId, url, description, eventTypes, format, enabled, disabledReason } = row;
  return {
    ...{ id, workspaceId, url, description, eventTypes, format, enabled, disabledReason },
    failingSince: toIso(row.failingSince),
    lastDeliveredAt: toIso(row.lastDeliveredAt),
    previousSecretUntil: isRetiring(row, now) ? toIso(row.previousSecretUntil) : null,
    createdAt: toIso(row.createdAt),
    createdBy: row.createdBy,
  };
}

export function presentVersioned(row: WebhookRow, now: Date): Versioned<Webhook> {
  return { body: presentWebhook(row, now), etag: etagOf(row) };
}

/** Whether the secret before the last rotation still signs. */
export function isRetiring({ previousSecretUntil }: WebhookRow, now: Date): boolean {
  return previousSecretUntil !== null && previousSecretUntil > now;
}
