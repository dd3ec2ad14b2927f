/** What an alert can be about. It is on the record as `alert.` and its type. */
export const ALERT_TYPES = [
  'key_expiring',
  'key_expired',
  'management_key_expiring',
  'management_key_expired',
  'rotation_due',
  'key_unused',
  'ended_string_used',
  'usage_unusual',
  'limited_often',
  'credits_low',
  'credits_exhausted',
  'wrong_keys',
  'key_leaked',
  'webhook_disabled',
] as const;
export type AlertType = (typeof ALERT_TYPES)[number];
