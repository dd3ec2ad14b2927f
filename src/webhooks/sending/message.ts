import type { KeyObject } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts';
import { toIso } from '../../domain/time.ts';
import { openSecret } from '../signing-secret.ts';
import type { Claim } from './queue.ts';

/** What is sent, but for its signature. */
export interface Message {
  id: string;
  contentType: string;
  body: string;
}

/** Null if there is no entry to tell of: retention has removed it, or someone else has written it. */
export function messageOf(claim: Claim): Message | null {
  const payload = claim.sequence === null ? pingPayload(claim) : claim.payload;
  const entry = payload === null ? null : parseEntry(payload);
  if (payload === null || entry === null) return null;
  const time = typeof entry.time === 'string' ? entry.time : toIso(claim.createdAt);
  const isCloudEvent = claim.format === 'cloudevents';
  const head = isCloudEvent
    ? cloudEvent(claim, entry, time)
    : { type: claim.eventType, timestamp: time };
  return {
    id: claim.eventId,
    contentType: isCloudEvent ? 'application/cloudevents+json' : 'application/json',
    body: withEntry(head, payload, claim.hash),
  };
}

/** The entry is not written again: its text is what its hash is of. */
function withEntry(head: JsonObject, payload: string, hash: string | null): string {
  return `${JSON.stringify(head).slice(0, -1)},"data":${payload},"hash":${JSON.stringify(hash)}}`;
}

/** CloudEvents 1.0 in structured mode; `hash` is an extension attribute, which cannot be null. */
function cloudEvent(
  { eventId, eventType }: Claim,
  { workspaceId, target }: JsonObject,
  time: string,
) {
  return {
    specversion: '1.0',
    id: eventId,
    source: typeof workspaceId === 'string' ? `/v1/workspaces/${workspaceId}` : '/v1/webhooks',
    type: eventType,
    time,
    ...(isJsonObject(target) && typeof target.id === 'string' && target.id
      ? { subject: target.id }
      : {}),
    datacontenttype: 'application/json',
  };
}

function pingPayload({ eventId, eventType, webhookId, createdAt }: Claim): string {
  const target = { type: 'webhook', id: webhookId };
  return JSON.stringify({ id: eventId, time: toIso(createdAt), action: eventType, target });
}

function parseEntry(payload: string): JsonObject | null {
  try {
    const value: Json = JSON.parse(payload);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * The secrets that sign now; null if the current one cannot be read, as with another KEYWARD_SECRET. One
 * that is retiring and cannot be read is left out: the rotation that follows such a change must work.
 */
export function signingSecretsOf(claim: Claim, key: KeyObject | null, now: Date): string[] | null {
  const { webhookId, signingSecret, previousSecret, previousSecretUntil } = claim;
  const open = (sealed: Buffer | null) => key && sealed && openSecret(key, webhookId, sealed);
  const current = open(signingSecret);
  if (current === null) return null;
  const isRetiring = previousSecretUntil !== null && previousSecretUntil > now;
  const previous = isRetiring ? open(previousSecret) : null;
  return previous === null ? [current] : [current, previous];
}

/** The headers of Standard Webhooks. The id stays the same with each attempt, the time does not. */
export function signedHeaders({ id, body }: Message, secrets: readonly string[], at: Date) {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}
