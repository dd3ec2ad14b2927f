import { createHash } from 'node:crypto';
import type { Actor } from '../domain/caller.ts';
import type { Json } from '../domain/json.ts';
import { newId } from '../domain/key-string.ts';
import type { Pepper } from '../domain/pepper.ts';
import type { AuditAction, AuditTargetType } from './actions.ts';

/** One change of one thing. `before` and `after` hold the changed fields, never a secret. */
export interface AuditEntry {
  workspaceId: string;
  action: AuditAction;
  target: { type: AuditTargetType; id: string };
  before: Json;
  after: Json;
}

/** What all entries of one call share. */
export interface AuditOrigin {
  actor: Actor;
  requestId: string;
  /** Null if the call did not come over the network. */
  ip: string | null;
}

/** An entry as it is stored. */
export interface ChainRow extends Head {
  workspaceId: string;
  payload: string;
  /** Names the KEYWARD_SECRET that keyed the hash; null if it is a plain SHA-256. */
  pepperId: string | null;
}

/** A link of a chain. Its hash commits to every entry up to it. */
export interface Head {
  sequence: number;
  hash: string;
}

/** What the first entry of a log is linked to. */
export const FIRST_HEAD: Head = { sequence: 0, hash: '0'.repeat(64) };

/** Links an entry to the head of its workspace, and moves that head. */
export function linkEntry(
  entry: AuditEntry,
  origin: AuditOrigin,
  at: Date,
  heads: Map<string, Head>,
  pepper: Pepper | null,
): ChainRow {
  const { workspaceId } = entry;
  const head = heads.get(workspaceId) ?? FIRST_HEAD;
  const sequence = head.sequence + 1;
  const payload = payloadOf(entry, origin, at, sequence);
  const hash = chainHash(head.hash, payload, pepper);
  heads.set(workspaceId, { sequence, hash });
  return { workspaceId, sequence, payload, hash, pepperId: pepper?.id ?? null };
}

/** Covers exactly the text that is stored, so that a check needs nothing but the rows. */
export function chainHash(previous: string, payload: string, pepper: Pepper | null): string {
  const text = `${previous}\n${payload}`;
  return pepper ? pepper.auditHash(text) : createHash('sha256').update(text).digest('hex');
}

function payloadOf(
  { workspaceId, action, target, before, after }: AuditEntry,
  { actor, requestId, ip }: AuditOrigin,
  at: Date,
  sequence: number,
): string {
  return JSON.stringify({
    id: newId('evt'),
    workspaceId,
    sequence,
    time: at.toISOString(),
    action,
    actor,
    target,
    before,
    after,
    requestId,
    ip,
  });
}
