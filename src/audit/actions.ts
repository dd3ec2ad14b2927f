/** Every action that the log can hold, so that callers know what to filter by. */
export const AUDIT_ACTIONS = [
  'key.created',
  'key.imported',
  'key.updated',
  'key.revoked',
  'key.deleted',
  'key.rotated',
  'key.grace_ended',
  'key.credits_changed',
  'owner.personal_data_erased',
  'workspace.created',
  'workspace.updated',
  'workspace.suspended',
  'workspace.resumed',
  'workspace.deleted',
  'management_key.created',
  'management_key.updated',
  'management_key.rotated',
  'management_key.revoked',
  'audit.pruned',
  'audit.break',
  'audit.repaired',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export const AUDIT_TARGET_TYPES = ['key', 'owner', 'workspace', 'management_key'] as const;
export type AuditTargetType = (typeof AUDIT_TARGET_TYPES)[number];
