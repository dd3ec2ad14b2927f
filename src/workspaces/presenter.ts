import { toIso } from '../domain/time.ts';
import type { WorkspaceRow } from './store.ts';

/** A workspace as answers and audit entries show it. */
export function presentWorkspace(row: WorkspaceRow) {
  const { revision, deletedAt, ...fields } = row;
  return {
    ...fields,
    alertThresholds: row.alertThresholds && { ...row.alertThresholds },
    idlePolicy: row.idlePolicy && { ...row.idlePolicy },
    availableScopes: row.availableScopes?.map((scope) => ({ ...scope })) ?? null,
    createdAt: toIso(row.createdAt),
    updatedAt: toIso(row.updatedAt),
  };
}
