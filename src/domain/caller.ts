import type { CountedSecret } from './verdict.ts';

/** Who calls Keyward itself, and what that caller may do. */
export const PERMISSIONS = [
  'keys:read',
  'keys:write',
  'keys:revoke',
  'keys:verify',
  'usage:read',
  'audit:read',
  'workspaces:read',
  'workspaces:write',
  'management:read',
  'management:write',
  'alerts:read',
  'alerts:write',
  'webhooks:read',
  'webhooks:write',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Named in audit entries and in `createdBy` / `revokedBy`. */
export interface Actor {
  type: 'root' | 'management_key' | 'key' | 'system';
  id: string;
  /** Whom the caller says it acts for, from the `Keyward-Actor` header: asserted, not proven. */
  onBehalfOf: string | null;
}

export interface Caller {
  type: 'root' | 'management_key';
  id: string;
  permissions: ReadonlySet<Permission>;
  /** Null: every workspace. */
  workspaceId: string | null;
  /** Whose share of bounded resources it uses, by `groupOf`. */
  group: string;
  /** When its management key expires, in epoch milliseconds; null: never. */
  expiresAt: number | null;
  /** Whether the workspace that it is bound to is suspended: then it only reads. */
  suspended: boolean;
  /** Its calls a second on each instance; null: neither it nor its workspace has a maximum. */
  maxRequestsPerSecond: RequestMaximums | null;
}

/** Calls a second of a management key, and of all that are bound to its workspace; null: no maximum. */
export interface RequestMaximums {
  own: number | null;
  workspace: number | null;
}

/** A caller whose management key was used. */
export interface IdentifiedCaller {
  readonly caller: Caller;
  /** The secret of which this use is still to be counted; null once it is, and for the root key. */
  uncounted: CountedSecret | null;
}

/** The caller that a request presents: its key is digested once, however often it is asked for. */
export interface PresentedCaller {
  /** As memory knows it, as of the last fence; null if the database has to be asked. */
  recall: () => IdentifiedCaller | null;
  /** As of now or later. Rejects with UNAUTHENTICATED if there is none. */
  identify: () => Promise<IdentifiedCaller>;
}

/** Who asks about a presented key. */
export interface Asker {
  /** The workspace that is asked about; null: every one. */
  workspaceId: string | null;
  /** Whose share of the lookups of unknown strings this takes. */
  group: string;
}

/**
 * Whose share of bounded resources a caller uses: a bound caller's is that of its workspace, another
 * has one of its own. No workspace has an id with a space.
 */
export function groupOf(id: string, workspaceId: string | null): string {
  return workspaceId ?? ` ${id}`;
}

export const ROOT_CALLER: Caller = {
  type: 'root',
  id: 'root',
  permissions: new Set(PERMISSIONS),
  workspaceId: null,
  group: groupOf('root', null),
  expiresAt: null,
  suspended: false,
  maxRequestsPerSecond: null,
};

/** An id is a step of a path, so `.` and `..` could never be reached. */
export const WORKSPACE_ID_PATTERN = '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,64}$';
export const DEFAULT_WORKSPACE = 'default';
