import type { KeyObject } from 'node:crypto';
import { endAlertsOf } from '../alerts/store.ts';
import { type CallContext, listedWorkspaceId } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { newId } from '../domain/key-string.ts';
import { toIso } from '../domain/time.ts';
import { KeywardError, noWorkspace } from '../errors.ts';
import { etagOf, requireMatch, type Versioned } from '../http/etag.ts';
import { readPage } from '../http/page.ts';
import type { CallResult } from '../http/reply.ts';
import type { Clock } from '../lib/clock.ts';
import { authorityOf, bindingOf, lockAuthority } from '../management/grants.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import { lockWorkspace, workspaceExisted } from '../workspaces/store.ts';
import { auditWebhook } from './audit.ts';
import { mayWiden, patchWebhook, requireAuditReader, settingsOf } from './change.ts';
import { isRetiring, presentVersioned, presentWebhook } from './presenter.ts';
import type {
  CreateWebhook,
  IssuedWebhook,
  ListWebhooks,
  PatchWebhook,
  RotateSigningSecret,
  Webhook,
  WebhookPage,
} from './schemas.ts';
import { newSigningSecret, sealSecret } from './signing-secret.ts';
import {
  countWebhooks,
  deleteWebhook,
  findWebhook,
  insertWebhook,
  listWebhooks,
  lockWebhook,
  updateWebhook,
  type WebhookRow,
} from './store.ts';
import { requireTarget } from './target-url.ts';

/** Of a workspace, and of those for all: each event makes a row for each of them. */
const MAX_WEBHOOKS = 20;

export interface WebhookDependencies {
  orm: Orm;
  unitOfWork: UnitOfWork;
  clock: Clock;
  /** Null without KEYWARD_SECRET: then there are no signing secrets. */
  sealingKey: KeyObject | null;
  /** Where webhooks may be sent besides public addresses. */
  networks: readonly string[];
}

/** The life of a webhook: one function a use case. */
export class WebhookService {
  readonly #deps: WebhookDependencies;

  constructor(deps: WebhookDependencies) {
    this.#deps = deps;
  }

  create(call: CallContext, input: CreateWebhook): Promise<Versioned<IssuedWebhook>> {
    const workspaceId = bindingOf(call.caller, input.workspaceId);
    requireAuditReader(authorityOf(call.caller));
    const { description = null, eventTypes = null, format = 'event', enabled = true } = input;
    const settings = { url: this.#targetOf(input.url), description, eventTypes, format, enabled };
    const issued = this.#issue(newId('wh'));
    return this.#deps.unitOfWork.run(call, async (write) => {
      const { tx, at } = write;
      await requireRoom(write, workspaceId);
      requireAuditReader(await lockAuthority(tx, call.caller, at));
      const { id, sealed } = issued;
      const made = { createdAt: at, createdBy: call.actor, updatedAt: at };
      const values = { id, workspaceId, ...settings, signingSecret: sealed, ...made };
      const row = await insertWebhook(tx, values);
      auditWebhook(write, 'created', row, { after: { workspaceId, ...settingsOf(row) } });
      return issuedResult(row, issued.secret, at);
    });
  }

  async get(call: CallContext, id: string): Promise<Versioned<Webhook>> {
    const { orm, clock } = this.#deps;
    const row = await findWebhook(orm, id, call.caller.workspaceId);
    if (!row) throw new KeywardError('NOT_FOUND');
    return presentVersioned(row, clock.date());
  }

  async list(call: CallContext, query: ListWebhooks): Promise<WebhookPage> {
    const { orm, clock } = this.#deps;
    const workspaceId = listedWorkspaceId(call, query.workspaceId);
    if (workspaceId !== null && !(await workspaceExisted(orm, workspaceId))) {
      throw noWorkspace(workspaceId);
    }
    const { rows, nextCursor } = await readPage(query, {
      name: 'webhooks',
      read: (after, limit) => listWebhooks(orm, workspaceId, after, limit),
      positionOf: ({ createdAt, id }) => ({ value: toIso(createdAt), id }),
    });
    const now = clock.date();
    return { data: rows.map((row) => presentWebhook(row, now)), nextCursor };
  }

  patch(call: CallContext, id: string, patch: PatchWebhook): Promise<Versioned<Webhook>> {
    const { url, ...others } = patch;
    const given = url === undefined ? others : { ...others, url: this.#targetOf(url) };
    return this.#deps.unitOfWork.run(call, async (write) => {
      const { tx, at } = write;
      const authority = mayWiden(patch) ? await lockAuthority(tx, call.caller, at) : null;
      const row = await lockNamedWebhook(write, call, id);
      const by = { authority, actor: call.actor };
      return presentVersioned(await patchWebhook(write, row, given, by), at);
    });
  }

  /** A new secret; the one before signs too until the grace ends. */
  rotateSecret(
    call: CallContext,
    id: string,
    { graceSeconds, supersede = false }: RotateSigningSecret,
  ): Promise<Versioned<IssuedWebhook>> {
    return this.#deps.unitOfWork.run(call, async (write) => {
      const { tx, at } = write;
      const row = await lockNamedWebhook(write, call, id);
      if (!supersede && isRetiring(row, at)) throw new KeywardError('ROTATION_UNDER_WAY');
      const { secret, sealed } = this.#issue(id);
      const previousSecretUntil = new Date(at.getTime() + graceSeconds * 1000);
      const previous =
        graceSeconds === 0
          ? { previousSecret: null, previousSecretUntil: null }
          : { previousSecret: row.signingSecret, previousSecretUntil };
      const changes = { signingSecret: sealed, ...previous, updatedAt: at };
      const updated = await updateWebhook(tx, id, changes);
      auditWebhook(write, 'secret_rotated', row, { after: { graceSeconds } });
      return issuedResult(updated, secret, at);
    });
  }

  delete(call: CallContext, id: string): Promise<CallResult<object>> {
    return this.#deps.unitOfWork.run(call, async (write) => {
      const row = await lockNamedWebhook(write, call, id);
      await deleteWebhook(write.tx, id, write.at);
      const difference = { before: { deletedAt: null }, after: { deletedAt: toIso(write.at) } };
      auditWebhook(write, 'deleted', row, difference);
      await endAlertsOf(write, 'webhook_disabled', id);
      return { body: {} };
    });
  }

  #issue(id: string) {
    const { sealingKey } = this.#deps;
    if (!sealingKey) throw new KeywardError('WEBHOOKS_NEED_SECRET');
    const secret = newSigningSecret();
    return { id, secret, sealed: sealSecret(sealingKey, id, secret) };
  }

  #targetOf(url: string): string {
    return requireTarget(url, this.#deps.networks).href;
  }
}

/** The webhook's row, locked, if it is the version that the caller read. */
async function lockNamedWebhook(
  { tx }: WriteContext,
  call: CallContext,
  id: string,
): Promise<WebhookRow> {
  const row = await lockWebhook(tx, id, call.caller.workspaceId);
  if (!row) throw new KeywardError('NOT_FOUND');
  requireMatch(call, etagOf(row));
  return row;
}

/** Creations of a workspace, or for all of them, wait for each other here. */
async function requireRoom({ tx }: WriteContext, workspaceId: string | null): Promise<void> {
  const id = workspaceId ?? DEFAULT_WORKSPACE;
  const workspace = await lockWorkspace(tx, id, 'no key update');
  if (!workspace || workspace.deletedAt) throw noWorkspace(id);
  if ((await countWebhooks(tx, workspaceId)) < MAX_WEBHOOKS) return;
  throw new KeywardError('WEBHOOK_LIMIT_REACHED');
}

function issuedResult(row: WebhookRow, signingSecret: string, at: Date) {
  return { body: { ...presentWebhook(row, at), signingSecret }, etag: etagOf(row) };
}
