import type { Json } from '../domain/json.ts';
import type { Reason } from '../http/schemas.ts';
import { pickChanged } from '../unit-of-work/difference.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { presentWorkspace } from './presenter.ts';
import type { WorkspaceRow } from './store.ts';

export type WorkspaceAction = 'created' | 'updated' | 'suspended' | 'resumed' | 'deleted';

/** Puts an action on a workspace into its audit log. */
export function auditWorkspace(
  write: WriteContext,
  action: WorkspaceAction,
  { id }: Pick<WorkspaceRow, 'id'>,
  { before = null, after }: { before?: Json; after: Json },
): void {
  const target = { type: 'workspace' as const, id };
  write.audit({ workspaceId: id, action: `workspace.${action}`, target, before, after });
}

/** The same, with the fields that differ. */
export function auditWorkspaceChange(
  write: WriteContext,
  action: WorkspaceAction,
  previous: WorkspaceRow,
  next: WorkspaceRow,
  reason: Reason = {},
): void {
  const { before, after } = pickChanged(presentWorkspace(previous), presentWorkspace(next));
  auditWorkspace(write, action, next, { before, after: { ...after, ...reason } });
}
