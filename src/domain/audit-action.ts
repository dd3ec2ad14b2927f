/** Every action that the audit log knows: the thing, and what happened to it. */
export const AUDIT_ACTIONS = [
  'key.created',
  'key.imported',
  'key.updated',
  'key.revoked',
  'key.deleted',
  'key.rotated',
  'key.grace_ended',
  'key.credits_changed',
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
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];
