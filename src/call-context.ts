import type { Actor, Caller, Permission } from './domain/caller.ts';
import { DEFAULT_WORKSPACE } from './domain/caller.ts';
import { KeywardError } from './errors.ts';

/** An `Idempotency-Key` and what it stands for. */
export interface Idempotency {
  key: string;
  /** SHA-256 of the call and its payload. */
  fingerprint: string;
  /** The status of the call's success. */
  status: number;
}

/** What a use case must know about the call that asked for it. */
export interface CallContext {
  caller: Caller;
  actor: Actor;
  requestId: string;
  /** Null where the call did not come over the network. */
  ip: string | null;
  /** The entity tags of `If-Match`, one of which the thing must still have; null: any will do. */
  ifMatch: readonly string[] | null;
  idempotency: Idempotency | null;
}

/** Who presents a management key. Rejects with a 401 where nobody valid does. */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

/** Refuses a change of something that is no longer what the caller saw. */
export function requireMatch({ ifMatch }: CallContext, etag: string): void {
  if (ifMatch === null || ifMatch.includes('*') || ifMatch.includes(etag)) return;
  throw new KeywardError('PRECONDITION_FAILED');
}

export function requirePermission(caller: Caller, permission: Permission): void {
  if (caller.permissions.has(permission)) return;
  throw new KeywardError('FORBIDDEN', `This call needs the permission ${permission}.`);
}

/** The workspace that a call works in; another one than the caller's own does not exist for it. */
export function authorizedWorkspaceId({ caller }: CallContext, wanted: string | undefined): string {
  return workspaceScope(caller, wanted) ?? DEFAULT_WORKSPACE;
}

/** As above for verification, where no wish means every workspace (null). */
export function workspaceScope(caller: Caller, wanted: string | undefined): string | null {
  if (caller.workspaceId === null) return wanted ?? null;
  if (wanted === undefined || wanted === caller.workspaceId) return caller.workspaceId;
  throw new KeywardError('NOT_FOUND', 'No such workspace, or not one of this management key.');
}
