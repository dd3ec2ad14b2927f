import { type CallContext, workspaceScope } from '../call-context.ts';
import type { SecretIssuer } from '../credentials/issuer.ts';
import { rotateSecret } from '../credentials/rotation.ts';
import { insertSecret } from '../credentials/store.ts';
import type { Orm } from '../db/database.ts';
import { type Caller, DEFAULT_WORKSPACE } from '../domain/caller.ts';
import type { Json } from '../domain/json.ts';
import { MANAGEMENT_PREFIX, newId } from '../domain/key-string.ts';
import { KeywardError } from '../errors.ts';
import { decodeCursor, encodeCursor } from '../http/cursor.ts';
import { etagOf, requireMatch, type Versioned } from '../http/etag.ts';
import { lifetime } from '../http/lifetime.ts';
import type { Clock } from '../lib/clock.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import type {
  CreateManagementKey,
  IssuedManagementKey,
  ListManagementKeys,
  ManagementKey,
  ManagementKeyPage,
  RotateManagementKey,
} from './schemas.ts';
import {
  findManagementKey,
  insertManagementKey,
  listManagementKeys,
  lockManagementKey,
  lockWorkspaceShared,
  type ManagementRecord,
  type ManagementRow,
  updateManagementKey,
} from './store.ts';

const LIST = 'management-keys';

/** The life of a management key: one function a use case. */
export class ManagementService {
  readonly #deps: { orm: Orm; changes: UnitOfWork; issuer: SecretIssuer; clock: Clock };

  constructor(dependencies: { orm: Orm; changes: UnitOfWork; issuer: SecretIssuer; clock: Clock }) {
    this.#deps = dependencies;
  }

  async create(
    call: CallContext,
    input: CreateManagementKey,
  ): Promise<Versioned<IssuedManagementKey>> {
    const workspaceId = bindingOf(call.caller, input.workspaceId);
    requireAll(call.caller, input.permissions);
    const issue = () => this.#deps.issuer.issue(MANAGEMENT_PREFIX);
    return this.#deps.changes.runPrepared(call, issue, async (change, issued) => {
      const { tx, at } = change;
      await requireWorkspace(change, workspaceId);
      const { expiresAt } = lifetime({ notBefore: null, expiresAt: null }, input, at);
      const { name, permissions } = input;
      const row = { id: newId('mk'), workspaceId, name, permissions, expiresAt };
      const made = { createdAt: at, createdBy: call.actor, updatedAt: at };
      await insertManagementKey(tx, { ...row, ...made });
      await insertSecret(tx, { keyId: row.id, workspaceId }, issued, at);
      const after = { name, permissions, workspaceId, expiresAt: iso(expiresAt) };
      audit(change, row, 'created', null, after);
      return this.#issued(change, row.id, issued.key);
    });
  }

  async get(call: CallContext, id: string): Promise<Versioned<ManagementKey>> {
    const found = await findManagementKey(this.#deps.orm, id, call.caller.workspaceId);
    if (!found) throw new KeywardError('NOT_FOUND');
    return this.#present(found);
  }

  async list(call: CallContext, query: ListManagementKeys): Promise<ManagementKeyPage> {
    const { workspaceId, limit, cursor } = query;
    const after = cursor === undefined ? null : decodeCursor(LIST, cursor);
    const visibility = workspaceScope(call.caller, workspaceId);
    const found = await listManagementKeys(this.#deps.orm, visibility, after, limit + 1);
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1)?.key : undefined;
    return {
      data: page.map((entry) => this.#present(entry).body),
      nextCursor: last
        ? encodeCursor(LIST, { value: last.createdAt.toISOString(), id: last.id })
        : null,
    };
  }

  /** Who gets a key's new string can do what it may, so its permissions must be held too. */
  async rotate(
    call: CallContext,
    id: string,
    wish: RotateManagementKey,
  ): Promise<Versioned<IssuedManagementKey>> {
    const issue = () => this.#deps.issuer.issue(MANAGEMENT_PREFIX);
    return this.#deps.changes.runPrepared(call, issue, async (change, issued) => {
      const row = await lock(change, call, id);
      requireAll(call.caller, row.permissions);
      if (row.revokedAt) throw new KeywardError('KEY_REVOKED');
      if (row.expiresAt && row.expiresAt <= change.at) throw new KeywardError('KEY_EXPIRED');
      const owner = { keyId: id, workspaceId: row.workspaceId };
      await rotateSecret(change.tx, owner, issued, wish, change.at);
      await updateManagementKey(change.tx, id, { updatedAt: change.at });
      audit(change, row, 'rotated', null, { graceSeconds: wish.graceSeconds });
      return this.#issued(change, id, issued.key);
    });
  }

  /** Final, and idempotent. */
  revoke(call: CallContext, id: string): Promise<Versioned<ManagementKey>> {
    return this.#deps.changes.run(call, async (change) => {
      const row = await lock(change, call, id);
      if (!row.revokedAt) {
        const revoked = { revokedAt: change.at, revokedBy: call.actor, updatedAt: change.at };
        await updateManagementKey(change.tx, id, revoked);
        const after = { revokedAt: change.at.toISOString() };
        audit(change, row, 'revoked', { revokedAt: null }, after);
      }
      return this.#read(change, id);
    });
  }

  async #issued({ tx, at }: WriteContext, id: string, key: string) {
    const { body, etag } = await this.#read({ tx, at }, id);
    return { body: { ...body, key }, etag };
  }

  async #read({ tx }: Pick<WriteContext, 'tx' | 'at'>, id: string) {
    const found = await findManagementKey(tx, id, null);
    if (!found) throw new Error('a management key that was just written can be read');
    return this.#present(found);
  }

  #present({ key, start, lastUsedAt, retiringUntil }: ManagementRecord) {
    const now = this.#deps.clock.date();
    const { id, workspaceId, name, permissions, createdBy, revokedBy } = key;
    const isRetiring = retiringUntil !== null && retiringUntil > now;
    const body: ManagementKey = {
      id,
      workspaceId,
      name,
      start,
      permissions,
      status: statusOf(key, now),
      expiresAt: iso(key.expiresAt),
      lastUsedAt: iso(lastUsedAt),
      retiringUntil: isRetiring ? iso(retiringUntil) : null,
      createdAt: key.createdAt.toISOString(),
      createdBy,
      revokedAt: iso(key.revokedAt),
      revokedBy,
    };
    return { body, etag: etagOf(key) };
  }
}

/** The workspace of a new key: a bound caller makes keys of its own workspace alone. */
function bindingOf(caller: Caller, wanted: string | null | undefined): string | null {
  if (wanted === undefined) return caller.workspaceId;
  if (wanted === null && caller.workspaceId !== null) throw new KeywardError('NOT_FOUND');
  return wanted === null ? null : workspaceScope(caller, wanted);
}

function requireAll({ permissions }: Caller, wanted: readonly string[]): void {
  const held: ReadonlySet<string> = permissions;
  const missing = wanted.filter((permission) => !held.has(permission));
  if (missing.length === 0) return;
  throw new KeywardError('FORBIDDEN', `Nobody grants more than they hold: ${missing.join(', ')}.`);
}

async function requireWorkspace({ tx }: WriteContext, id: string | null): Promise<void> {
  if (id === null || (await lockWorkspaceShared(tx, id))) return;
  throw new KeywardError('NOT_FOUND', `No workspace ${id}; create it first with PUT.`);
}

async function lock(change: WriteContext, call: CallContext, id: string): Promise<ManagementRow> {
  const row = await lockManagementKey(change.tx, id, call.caller.workspaceId);
  if (!row) throw new KeywardError('NOT_FOUND');
  requireMatch(call, etagOf(row));
  return row;
}

/** Keys of every workspace are on the record of the default one. */
function audit(
  change: WriteContext,
  { id, workspaceId }: { id: string; workspaceId: string | null },
  what: string,
  before: Json,
  after: Json,
): void {
  change.audit({
    workspaceId: workspaceId ?? DEFAULT_WORKSPACE,
    action: `management_key.${what}`,
    target: { type: 'management_key', id },
    before,
    after,
  });
}

function statusOf({ revokedAt, expiresAt }: ManagementRow, now: Date): string {
  if (revokedAt) return 'revoked';
  return expiresAt && expiresAt <= now ? 'expired' : 'active';
}

function iso(date: Date | null): string | null {
  return date?.toISOString() ?? null;
}
