import { readActor } from '../db/stored-types.ts';
import { isJsonObject, type Json } from '../domain/json.ts';
import { FIRST_INSTANT, toIso } from '../domain/time.ts';
import type { AuditEvent } from './schemas.ts';

/** An entry of a log as it is stored. */
interface StoredEvent {
  workspaceId: string;
  sequence: number;
  payload: string;
  hash: string;
}

/** What is shown as the action of an entry that the service has not written. */
const UNREADABLE = 'unreadable';

/**
 * An entry as answers show it. Of one that someone else has written, whatever can be shown: the list
 * goes on, and `keyward audit verify` reports it.
 */
export function presentEvent({ workspaceId, sequence, payload, hash }: StoredEvent): AuditEvent {
  const parsed: Json = JSON.parse(payload);
  const event = isJsonObject(parsed) ? parsed : {};
  const target = isJsonObject(event.target) ? event.target : {};
  return {
    id: textOr(event.id, ''),
    workspaceId: textOr(event.workspaceId, workspaceId),
    sequence,
    time: timeOf(event.time),
    action: textOr(event.action, UNREADABLE),
    actor: readActor(event.actor),
    target: { type: textOr(target.type, UNREADABLE), id: textOr(target.id, '') },
    before: event.before ?? null,
    after: event.after ?? null,
    requestId: textOr(event.requestId, ''),
    ip: typeof event.ip === 'string' ? event.ip : null,
    hash,
  };
}

function textOr(value: Json | undefined, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function timeOf(value: Json | undefined): string {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return toIso(Number.isNaN(time) ? FIRST_INSTANT : time);
}
