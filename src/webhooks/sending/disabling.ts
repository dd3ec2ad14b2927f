import { openAlert } from '../../alerts/store.ts';
import { type Actor, DEFAULT_WORKSPACE } from '../../domain/caller.ts';
import { toIso } from '../../domain/time.ts';
import { systemCall } from '../../unit-of-work/system-call.ts';
import type { UnitOfWork, WriteContext } from '../../unit-of-work/unit-of-work.ts';
import { lockWebhook, STDOUT, updateWebhook, type WebhookRow } from '../store.ts';
import type { Outcome } from './attempt-result.ts';
import type { Claim } from './queue.ts';

const ACTOR: Actor = { type: 'system', id: 'webhooks', onBehalfOf: null };
const MAX_FAILING_MS = 5 * 86_400_000;

type Reason = 'gone' | 'failing';

/** Disables a webhook whose receiver says that it is gone, or that has only failed for five days. */
export async function disableIfOver(
  unitOfWork: UnitOfWork,
  { webhookId, url, failingSince }: Claim,
  { error }: Outcome,
  at: Date,
): Promise<void> {
  if (webhookId === STDOUT) return;
  const failingMs = at.getTime() - (failingSince ?? at).getTime();
  if (error === 'gone') await disable(unitOfWork, webhookId, url, 'gone');
  else if (failingMs >= MAX_FAILING_MS) await disable(unitOfWork, webhookId, url, 'failing');
}

async function disable(
  unitOfWork: UnitOfWork,
  id: string,
  url: string,
  reason: Reason,
): Promise<void> {
  await unitOfWork.run(systemCall(ACTOR), async (write) => {
    const row = await lockWebhook(write.tx, id, null);
    if (row?.enabled && row.url === url) await disableLocked(write, row, reason);
    return { body: {} };
  });
}

/** Changes nothing if it was delivered to meanwhile. Another receiver has not been heard yet. */
async function disableLocked(write: WriteContext, row: WebhookRow, reason: Reason): Promise<void> {
  const { tx, at } = write;
  const { id } = row;
  const failingMs = at.getTime() - (row.failingSince ?? at).getTime();
  if (reason === 'failing' && failingMs < MAX_FAILING_MS) return;
  await updateWebhook(tx, id, { enabled: false, disabledReason: reason, updatedAt: at });
  const workspaceId = row.workspaceId ?? DEFAULT_WORKSPACE;
  write.audit({
    ...{ workspaceId, action: 'webhook.disabled', target: { type: 'webhook', id } },
    before: { enabled: true, disabledReason: null },
    after: { enabled: false, disabledReason: reason },
  });
  if (reason === 'gone' || !row.failingSince) return;
  const since = toIso(row.failingSince);
  const target = { targetType: 'webhook', targetId: id } as const;
  const found = { ...target, cause: since, details: { failingSince: since } };
  await openAlert(write, { type: 'webhook_disabled', workspaceId, ...found });
}
