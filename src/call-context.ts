import type { Actor, Asker, Caller, Permission, PresentedCaller } from './domain/caller.ts';
import { DEFAULT_WORKSPACE } from './domain/caller.ts';
import { KeywardError } from './errors.ts';

/** An `Idempotency-Key` and the call that it was sent with. */
export interface Idempotency {
  key: string;
  /** SHA-256 of the call and its payload. */
  fingerprint: string;
}

/** What a use case needs to know about the call that it serves. */
export interface CallContext {
  caller: Caller;
  actor: Actor;
  requestId: string;
  /** Null if the call did not come over the network. */
  ip: string | null;
  /** The entity tags of `If-Match`, one of which must be the current one; null: no condition. */
  ifMatch: readonly string[] | null;
  /** Whether `If-None-Match: *` asks that nothing be there yet. */
  mustBeNew: boolean;
  idempotency: Idempotency | null;
}

/** The caller behind an `Authorization` header. Rejects with UNAUTHENTICATED if there is none. */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;
/** The same, asked for when it is needed, and without counting the use of the management key. */
export type Present = (authorization: string | undefined) => PresentedCaller;

export function requirePermission(caller: Caller, permission: Permission): void {
  if (caller.permissions.has(permission)) return;
  throw new KeywardError('FORBIDDEN', `This call needs the permission ${permission}.`);
}

/** The permission for a call, which changes something unless that is one to read. */
export function requireAllowed(caller: Caller, permission: Permission): void {
  requirePermission(caller, permission);
  if (!caller.suspended || permission.endsWith(':read')) return;
  throw new KeywardError('WORKSPACE_SUSPENDED');
}

/** The workspace of a call. To a caller that is bound to one, other workspaces do not exist. */
export function authorizedWorkspaceId(
  { caller }: CallContext,
  requested: string | undefined,
): string {
  return workspaceScope(caller, requested) ?? DEFAULT_WORKSPACE;
}

/** Names every workspace in the query of a list. */
export const EVERY_WORKSPACE = '*';

/** The workspace that a list is of; null: all of them, which only an unbound caller may see. */
export function listedWorkspaceId(call: CallContext, requested: string | undefined): string | null {
  const id = authorizedWorkspaceId(call, requested);
  return id === EVERY_WORKSPACE ? null : id;
}

/** The workspace that a call is limited to; null: all of them. */
export function workspaceScope(caller: Caller, requested: string | undefined): string | null {
  if (isOfOtherWorkspace(caller, requested)) {
    throw new KeywardError('NOT_FOUND', 'No such workspace, or not one of this management key.');
  }
  return caller.workspaceId ?? requested ?? null;
}

/** Whether what is requested is out of the reach of a bound caller. */
export function isOfOtherWorkspace(
  { workspaceId }: Pick<Caller, 'workspaceId'>,
  requested: string | undefined,
): boolean {
  return workspaceId !== null && requested !== undefined && requested !== workspaceId;
}

export function askerOf(caller: Caller, requested: string | undefined): Asker {
  return { workspaceId: workspaceScope(caller, requested), group: caller.group };
}
