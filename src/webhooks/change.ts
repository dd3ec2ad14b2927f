import { isDeepStrictEqual } from 'node:util';
import { endAlertsOf } from '../alerts/store.ts';
import type { Actor } from '../domain/caller.ts';
import { KeywardError } from '../errors.ts';
import type { Authority } from '../management/grants.ts';
import { differs, pickChanged } from '../unit-of-work/difference.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditWebhook } from './audit.ts';
import type { PatchWebhook } from './schemas.ts';
import { updateWebhook, type WebhookRow } from './store.ts';

type Settings = Pick<WebhookRow, 'url' | 'description' | 'eventTypes' | 'format' | 'enabled'>;

/** Whether the caller's own row decides, which is then locked before the webhook, in the order of all. */
export function mayWiden({ url, eventTypes, enabled }: PatchWebhook): boolean {
  return url !== undefined || eventTypes !== undefined || enabled === true;
}

/** What a webhook sends, the caller could have read. */
export function requireAuditReader({ permissions }: Pick<Authority, 'permissions'>): void {
  if (new Set(permissions).has('audit:read')) return;
  const detail = 'A webhook is sent what the audit log says: this needs the permission audit:read.';
  throw new KeywardError('FORBIDDEN', detail);
}

/** `authority`: the caller's, locked; null if the change cannot widen anything. */
export async function patchWebhook(
  write: WriteContext,
  row: WebhookRow,
  patch: PatchWebhook,
  { authority, actor }: { authority: Authority | null; actor: Actor },
): Promise<WebhookRow> {
  const changes = { ...settingsOf(row), ...patch };
  if (authority && isWider(changes, row)) requireAuditReader(authority);
  if (!differs(row, changes)) return row;
  // What failed so far says nothing of another receiver, or of one that was put right.
  const isRenewed = changes.url !== row.url || (changes.enabled && !row.enabled);
  const status = isRenewed ? { disabledReason: null, failingSince: null, directedBy: actor } : {};
  const updated = await updateWebhook(write.tx, row.id, {
    ...{ ...changes, ...status, updatedAt: write.at },
  });
  auditWebhook(write, 'updated', row, pickChanged(settingsOf(row), settingsOf(updated)));
  if (changes.enabled && !row.enabled) await endAlertsOf(write, 'webhook_disabled', row.id);
  return updated;
}

export function settingsOf(row: Settings): Settings {
  const { url, description, eventTypes, format, enabled } = row;
  return { url, description, eventTypes, format, enabled };
}

/** To send more, or elsewhere, or again. */
function isWider(changes: Settings, row: Settings): boolean {
  if (changes.url !== row.url || (changes.enabled && !row.enabled)) return true;
  if (isDeepStrictEqual(changes.eventTypes, row.eventTypes) || row.eventTypes === null)
    return false;
  const known = new Set(row.eventTypes);
  return changes.eventTypes === null || changes.eventTypes.some((type) => !known.has(type));
}
