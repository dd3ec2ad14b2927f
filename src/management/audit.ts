import { DEFAULT_WORKSPACE } from '../domain/caller.ts';
import type { Json } from '../domain/json.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import type { ManagementRow } from './store.ts';

export type ManagementAction = 'created' | 'updated' | 'rotated' | 'revoked';

/**
 * Puts an action on a management key into the audit log of its workspace; of a key for all
 * workspaces, into that of the default one.
 */
export function auditManagementKey(
  write: WriteContext,
  action: ManagementAction,
  { id, workspaceId }: Pick<ManagementRow, 'id' | 'workspaceId'>,
  { before = null, after }: { before?: Json; after: Json },
): void {
  write.audit({
    workspaceId: workspaceId ?? DEFAULT_WORKSPACE,
    action: `management_key.${action}`,
    target: { type: 'management_key', id },
    before,
    after,
  });
}
