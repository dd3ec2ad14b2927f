import { KeywardError } from '../errors.ts';
import type { AuditAction } from './actions.ts';
import type { AuditEntry } from './chain.ts';
import type { LogEnd } from './store.ts';

/** What ends or stops something, and what the operator does about it: never refused, as are alerts. */
const ALWAYS: ReadonlySet<AuditAction> = new Set([
  'key.revoked',
  'key.deleted',
  'key.grace_ended',
  'workspace.created',
  'workspace.suspended',
  'workspace.resumed',
  'workspace.deleted',
  'management_key.revoked',
  'webhook.disabled',
  'webhook.deleted',
  'audit.pruned',
  'audit.break',
  'audit.repaired',
]);

/** Refuses a change that makes a log longer than its workspace may have it. */
export function requireRoom(
  entries: readonly AuditEntry[],
  logs: ReadonlyMap<string, LogEnd>,
): void {
  if (entries.every(isAlwaysAllowed)) return;
  for (const [id, { end, keptAfter, maxEvents }] of logs) {
    if (maxEvents === null) continue;
    const added = entries.filter(({ workspaceId }) => workspaceId === id).length;
    if (end.sequence - keptAfter + added > maxEvents) throw new KeywardError('AUDIT_LIMIT_REACHED');
  }
}

function isAlwaysAllowed({ action, after }: AuditEntry): boolean {
  if (ALWAYS.has(action) || action.startsWith('alert.')) return true;
  const changed = Object.entries({ ...Object(after) });
  // To disable something is to stop it; the maximum itself is for the operator alone to change.
  if (action === 'workspace.updated') return changed.some(([name]) => name === 'maxAuditEvents');
  if (action !== 'key.updated' && action !== 'webhook.updated') return false;
  return changed.every(([name, value]) => name === 'enabled' && !value);
}
