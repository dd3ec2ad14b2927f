import { randomUUID } from 'node:crypto';
import { openAlert } from '../../alerts/store.ts';
import { type Actor, DEFAULT_WORKSPACE } from '../../domain/caller.ts';
import { toIso } from '../../domain/time.ts';
import type { UnitOfWork, WriteContext } from '../../unit-of-work/unit-of-work.ts';
import { lockWebhook, STDOUT, updateWebhook } from '../store.ts';
import type { Outcome } from './attempt.ts';
import type { Claim } from './queue.ts';

const ACTOR: Actor = { type: 'system', id: 'webhooks', onBehalfOf: null };
const MAX_FAILING_MS = 5 * 86_400_000;

type Reason = 'gone' | 'failing';

/** Disables a webhook whose receiver says that it is gone, or that has only failed for five days. */
export async function disableIfOver(
  unitOfWork: UnitOfWork,
  claim: Claim,
  { error }: Outcome,
  at: Date,
): Promise<void> {
  if (claim.webhookId === STDOUT) return;
  const failingMs = at.getTime() - (claim.failingSince ?? at).getTime();
  if (error === 'gone') await disable(unitOfWork, claim, 'gone');
  else if (failingMs >= MAX_FAILING_MS) await disable(unitOfWork, claim, 'failing');
}

async function disable(unitOfWork: UnitOfWork, claim: Claim, reason: Reason): Promise<void> {
  const requestId = `system_${randomUUID()}`;
  const call = { caller: ACTOR, actor: ACTOR, requestId, ip: null, idempotency: null };
  await unitOfWork.run(call, async (write) => {
    await disableEnabled(write, claim, reason);
    return { body: {} };
  });
}

/** Changes nothing if it was disabled, deleted, delivered to or sent elsewhere meanwhile. */
async function disableEnabled(
  write: WriteContext,
  { webhookId: id, url }: Claim,
  reason: Reason,
): Promise<void> {
  const { tx, at } = write;
  const row = await lockWebhook(tx, id, null);
  if (!row?.enabled || row.url !== url) return;
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
