import type { Change, Changes } from '../changes/changes.ts';
import type { Orm } from '../db/database.ts';
import { type Caller, DEFAULT_WORKSPACE } from '../domain/caller.ts';
import type { Json } from '../domain/json.ts';
import { MANAGEMENT_PREFIX, newId } from '../domain/key-string.ts';
import { type CallContext, requireMatch, workspaceScope } from '../http/authentication.ts';
import { decodeCursor, encodeCursor } from '../http/cursor.ts';
import { lifetime } from '../http/lifetime.ts';
import { Problem } from '../http/problem.ts';
import type { Clock } from '../lib/clock.ts';
import type { Issuer } from '../secrets/issuer.ts';
import { rotateSecret } from '../secrets/rotation.ts';
import { insertSecret } from '../secrets/secrets.store.ts';
import type {
  CreateManagementKey,
  IssuedManagementKey,
  ListManagementKeys,
  ManagementKey,
  ManagementKeyPage,
  RotateManagementKey,
} from './management.schemas.ts';
import {
  findManagementKey,
  holdWorkspace,
  insertManagementKey,
  listManagementKeys,
  lockManagementKey,
  type ManagementRecord,
  type ManagementRow,
  updateManagementKey,
} from './management.store.ts';

const LIST = 'management-keys';

export interface ManagementAnswer<T> {
  body: T;
  etag: string;
}

/** The life of a management key: one function a use case. */
export class ManagementService {
  readonly #its: { orm: Orm; changes: Changes; issuer: Issuer; clock: Clock };

  constructor(dependencies: { orm: Orm; changes: Changes; issuer: Issuer; clock: Clock }) {
    this.#its = dependencies;
  }

  async create(
    call: CallContext,
    input: CreateManagementKey,
  ): Promise<ManagementAnswer<IssuedManagementKey>> {
    const workspaceId = bindingOf(call.caller, input.workspaceId);
    requireAll(call.caller, input.permissions);
    await this.#its.changes.replay(call);
    const issued = await this.#its.issuer.issue(MANAGEMENT_PREFIX);
    return this.#its.changes.run(call, async (change) => {
      const { tx, at } = change;
      await requireWorkspace(change, workspaceId);
      const { expiresAt } = lifetime({ notBefore: null, expiresAt: null }, input, at);
      const { name, permissions } = input;
      const row = { id: newId('mk'), workspaceId, name, permissions, expiresAt };
      const made = { createdAt: at, createdBy: call.actor, updatedAt: at };
      await insertManagementKey(tx, { ...row, ...made });
      await insertSecret(tx, { keyId: row.id, workspaceId }, issued, at);
      const after = { name, permissions, workspaceId, expiresAt: iso(expiresAt) };
      record(change, row, 'created', null, after);
      return this.#issued(change, row.id, issued.key);
    });
  }

  async get(call: CallContext, id: string): Promise<ManagementAnswer<ManagementKey>> {
    const found = await findManagementKey(this.#its.orm, id, call.caller.workspaceId);
    if (!found) throw new Problem('NOT_FOUND');
    return this.#present(found);
  }

  async list(call: CallContext, query: ListManagementKeys): Promise<ManagementKeyPage> {
    const { workspaceId, limit, cursor } = query;
    const after = cursor === undefined ? null : decodeCursor(LIST, cursor);
    const visibility = workspaceScope(call.caller, workspaceId);
    const found = await listManagementKeys(this.#its.orm, visibility, after, limit + 1);
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
  ): Promise<ManagementAnswer<IssuedManagementKey>> {
    await this.#its.changes.replay(call);
    const issued = await this.#its.issuer.issue(MANAGEMENT_PREFIX);
    return this.#its.changes.run(call, async (change) => {
      const row = await lock(change, call, id);
      requireAll(call.caller, row.permissions);
      if (row.revokedAt) throw new Problem('KEY_REVOKED');
      if (row.expiresAt && row.expiresAt <= change.at) throw new Problem('KEY_EXPIRED');
      const owner = { keyId: id, workspaceId: row.workspaceId };
      await rotateSecret(change.tx, owner, issued, wish, change.at);
      await updateManagementKey(change.tx, id, { updatedAt: change.at });
      record(change, row, 'rotated', null, { graceSeconds: wish.graceSeconds });
      return this.#issued(change, id, issued.key);
    });
  }

  /** Final, and idempotent. */
  revoke(call: CallContext, id: string): Promise<ManagementAnswer<ManagementKey>> {
    return this.#its.changes.run(call, async (change) => {
      const row = await lock(change, call, id);
      if (!row.revokedAt) {
        const revoked = { revokedAt: change.at, revokedBy: call.actor, updatedAt: change.at };
        await updateManagementKey(change.tx, id, revoked);
        const after = { revokedAt: change.at.toISOString() };
        record(change, row, 'revoked', { revokedAt: null }, after);
      }
      return this.#read(change, id);
    });
  }

  async #issued({ tx, at }: Change, id: string, key: string) {
    const { body, etag } = await this.#read({ tx, at }, id);
    return { body: { ...body, key }, etag };
  }

  async #read({ tx }: Pick<Change, 'tx' | 'at'>, id: string) {
    const found = await findManagementKey(tx, id, null);
    if (!found) throw new Error('a management key that was just written can be read');
    return this.#present(found);
  }

  #present({ key, start, lastUsedAt, retiringUntil }: ManagementRecord) {
    const now = this.#its.clock.date();
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
  if (wanted === null && caller.workspaceId !== null) throw new Problem('NOT_FOUND');
  return wanted === null ? null : workspaceScope(caller, wanted);
}

function requireAll({ permissions }: Caller, wanted: readonly string[]): void {
  const held: ReadonlySet<string> = permissions;
  const missing = wanted.filter((permission) => !held.has(permission));
  if (missing.length === 0) return;
  throw new Problem('FORBIDDEN', `Nobody grants more than they hold: ${missing.join(', ')}.`);
}

async function requireWorkspace({ tx }: Change, id: string | null): Promise<void> {
  if (id === null || (await holdWorkspace(tx, id))) return;
  throw new Problem('NOT_FOUND', `No workspace ${id}; create it first with PUT.`);
}

async function lock(change: Change, call: CallContext, id: string): Promise<ManagementRow> {
  const row = await lockManagementKey(change.tx, id, call.caller.workspaceId);
  if (!row) throw new Problem('NOT_FOUND');
  requireMatch(call, etagOf(row));
  return row;
}

/** Keys of every workspace are on the record of the default one. */
function record(
  change: Change,
  { id, workspaceId }: { id: string; workspaceId: string | null },
  what: string,
  before: Json,
  after: Json,
): void {
  change.record({
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

function etagOf({ revision }: ManagementRow): string {
  return `"${revision}"`;
}

function iso(date: Date | null): string | null {
  return date?.toISOString() ?? null;
}
