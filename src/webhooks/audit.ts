import { DEFAULT_WORKSPACE } from '../domain/caller.ts';
import type { Json, JsonObject } from '../domain/json.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import type { WebhookRow } from './store.ts';

export type WebhookAction =
  | 'created'
  | 'updated'
  | 'secret_rotated'
  | 'pinged'
  | 'redelivered'
  | 'deleted';

/** On record where management keys are: in the log of its workspace; for all workspaces, of `default`. */
export function auditWebhook(
  write: WriteContext,
  action: WebhookAction,
  { id, workspaceId }: Pick<WebhookRow, 'id' | 'workspaceId'>,
  { before = null, after }: { before?: JsonObject | null; after: JsonObject },
): void {
  write.audit({
    workspaceId: workspaceId ?? DEFAULT_WORKSPACE,
    action: `webhook.${action}`,
    target: { type: 'webhook', id },
    before: before && withoutPath(before),
    after: withoutPath(after),
  });
}

/** What follows the host is a credential with many receivers. */
function withoutPath({ url, ...others }: JsonObject): Json {
  return typeof url === 'string' ? { url: `${new URL(url).origin}/…`, ...others } : others;
}
