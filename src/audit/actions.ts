/** Alerts are on the record, so that webhooks and the log of a key have them too. */
const ALERT_ACTIONS = [
  'alert.key_expiring',
  'alert.key_expired',
  'alert.management_key_expiring',
  'alert.management_key_expired',
  'alert.rotation_due',
  'alert.key_unused',
  'alert.ended_string_used',
  'alert.usage_unusual',
  'alert.limited_often',
  'alert.credits_low',
  'alert.credits_exhausted',
  'alert.wrong_keys',
  'alert.key_leaked',
  'alert.webhook_disabled',
  'alert.acknowledged',
  'alert.ended',
] as const;

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
  'webhook.created',
  'webhook.updated',
  'webhook.secret_rotated',
  'webhook.pinged',
  'webhook.redelivered',
  'webhook.disabled',
  'webhook.deleted',
  ...ALERT_ACTIONS,
  'audit.pruned',
  'audit.break',
  'audit.repaired',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export const AUDIT_TARGET_TYPES = [
  'key',
  'owner',
  'workspace',
  'management_key',
  'webhook',
] as const;
export type AuditTargetType = (typeof AUDIT_TARGET_TYPES)[number];
