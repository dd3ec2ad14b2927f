import type { Json } from '../domain/json.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { keyDifference } from './presenter.ts';
import type { KeyRow } from './store.ts';

export type KeyAction =
  | 'created'
  | 'imported'
  | 'updated'
  | 'revoked'
  | 'deleted'
  | 'rotated'
  | 'grace_ended'
  | 'credits_changed';

/** Puts an action on a key into the audit log. */
export function auditKey(
  write: WriteContext,
  action: KeyAction,
  { workspaceId, id }: Pick<KeyRow, 'workspaceId' | 'id'>,
  { before = null, after }: { before?: Json; after: Json },
): void {
  const target = { type: 'key' as const, id };
  write.audit({ workspaceId, action: `key.${action}`, target, before, after });
}

/** The same, with the fields that differ. */
export function auditKeyChange(
  write: WriteContext,
  action: KeyAction,
  previous: KeyRow | null,
  next: KeyRow,
): void {
  auditKey(write, action, next, keyDifference(previous, next));
}
