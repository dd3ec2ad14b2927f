import { isDeepStrictEqual } from 'node:util';
import type { Change, Changes } from '../changes/changes.ts';
import type { Orm } from '../db/database.ts';
import { DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { MANAGEMENT_PREFIX, newId } from '../domain/key-string.ts';
import type { CallContext } from '../http/authentication.ts';
import { decodeCursor, encodeCursor } from '../http/cursor.ts';
import { invalid, Problem } from '../http/problem.ts';
import type { Clock } from '../lib/clock.ts';
import type { Issuer } from '../secrets/issuer.ts';
import { insertSecret } from '../secrets/secrets.store.ts';
import { auditDifference, etagOf, presentKey } from './keys.presenter.ts';
import type {
  CreateKey,
  IssuedKey,
  Key,
  KeyPage,
  ListKeys,
  PatchKey,
  RevokeKey,
} from './keys.schemas.ts';
import {
  findKey,
  findWorkspace,
  insertKey,
  type KeyChanges,
  type KeyRecord,
  type KeyRow,
  listKeys,
  lockKey,
  type NewKeyRow,
  updateKey,
} from './keys.store.ts';
import { checkMetadata, mergeMetadata } from './metadata.ts';

export interface KeyServiceDependencies {
  orm: Orm;
  changes: Changes;
  issuer: Issuer;
  clock: Clock;
}

/** A key as shown, with the validator of its fields. */
export interface Versioned<T> {
  body: T;
  etag: string;
}

const LIST = 'keys:-createdAt';

/** The life of a key: one function a use case, one transaction a change. */
export class KeyService {
  readonly #its: KeyServiceDependencies;

  constructor(dependencies: KeyServiceDependencies) {
    this.#its = dependencies;
  }

  async create(call: CallContext, input: CreateKey): Promise<Versioned<IssuedKey>> {
    const { orm, changes, issuer } = this.#its;
    const workspaceId = workspaceOf(call);
    const prefix = input.prefix ?? (await findWorkspace(orm, workspaceId))?.defaultPrefix;
    if (prefix === undefined) throw new Problem('NOT_FOUND');
    refuseReservedPrefix(prefix);
    checkMetadata(input.metadata ?? {});
    const issued = await issuer.issue(prefix);
    return changes.run(call, async (change) => {
      const { tx, at } = change;
      const key = await insertKey(tx, newKey(call, input, workspaceId, prefix, at));
      await insertSecret(tx, { keyId: key.id, workspaceId }, issued, at);
      record(change, 'key.created', null, key);
      const shown = await this.#show(change, key);
      return { ...shown, body: { ...shown.body, key: issued.key } };
    });
  }

  async get(call: CallContext, id: string): Promise<Versioned<Key>> {
    const found = await findKey(this.#its.orm, workspaceOf(call), id);
    if (!found) throw new Problem('NOT_FOUND');
    return this.#present(found);
  }

  async list(call: CallContext, { limit, cursor }: ListKeys): Promise<KeyPage> {
    const after = cursor === undefined ? null : decodeCursor(LIST, cursor);
    const found = await listKeys(this.#its.orm, workspaceOf(call), limit + 1, after);
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return {
      data: page.map((record) => this.#present(record).body),
      nextCursor: last
        ? encodeCursor(LIST, { value: last.key.createdAt.toISOString(), id: last.key.id })
        : null,
    };
  }

  patch(call: CallContext, id: string, patch: PatchKey): Promise<Versioned<Key>> {
    return this.#change(call, id, async (change, key) => {
      if (key.revokedAt) throw new Problem('KEY_REVOKED');
      const changes = patched(key, patch, change.at);
      return this.#apply(change, 'key.updated', key, changes);
    });
  }

  /** Final, and idempotent: a second call changes nothing and shows the first one's reason. */
  revoke(call: CallContext, id: string, { reason, note }: RevokeKey): Promise<Versioned<Key>> {
    return this.#change(call, id, async (change, key) => {
      if (key.revokedAt) return key;
      return this.#apply(change, 'key.revoked', key, {
        ...revocation(call, change.at),
        revokeReason: reason ?? null,
        revokeNote: note ?? null,
      });
    });
  }

  /** Revokes the key and takes it out of every list. Its history stays. */
  async delete(call: CallContext, id: string): Promise<void> {
    await this.#its.changes.run(call, async (change) => {
      const key = await lockKey(change.tx, workspaceOf(call), id);
      if (!key) throw new Problem('NOT_FOUND');
      const revoked = key.revokedAt ? {} : revocation(call, change.at);
      await this.#apply(change, 'key.deleted', key, { ...revoked, deletedAt: change.at });
    });
  }

  #change(
    call: CallContext,
    id: string,
    work: (change: Change, key: KeyRow) => Promise<KeyRow>,
  ): Promise<Versioned<Key>> {
    return this.#its.changes.run(call, async (change) => {
      const key = await lockKey(change.tx, workspaceOf(call), id);
      if (!key) throw new Problem('NOT_FOUND');
      return this.#show(change, await work(change, key));
    });
  }

  /** Writes what differs and puts it on the record; nothing where nothing differs. */
  async #apply(change: Change, action: string, key: KeyRow, changes: KeyChanges): Promise<KeyRow> {
    if (!differs(key, changes)) return key;
    const updated = await updateKey(change.tx, key.id, { ...changes, updatedAt: change.at });
    record(change, action, key, updated);
    return updated;
  }

  async #show({ tx }: Change, { workspaceId, id }: KeyRow): Promise<Versioned<Key>> {
    const found = await findKey(tx, workspaceId, id);
    if (!found) throw new Error('a key that was just written can be read');
    return this.#present(found);
  }

  #present(found: KeyRecord): Versioned<Key> {
    return { body: presentKey(found, this.#its.clock.now()), etag: etagOf(found.key) };
  }
}

function workspaceOf({ caller }: CallContext): string {
  return caller.workspaceId ?? DEFAULT_WORKSPACE;
}

function record(change: Change, action: string, previous: KeyRow | null, next: KeyRow): void {
  const target = { type: 'key' as const, id: next.id };
  const { workspaceId } = next;
  change.record({ workspaceId, action, target, ...auditDifference(previous, next) });
}

function differs(key: KeyRow, changes: KeyChanges): boolean {
  return Object.entries(changes).some(
    ([name, value]) => !isDeepStrictEqual(value, Reflect.get(key, name)),
  );
}

function refuseReservedPrefix(prefix: string): void {
  if (prefix !== MANAGEMENT_PREFIX) return;
  throw invalid('/body/prefix', `${MANAGEMENT_PREFIX} is the prefix of management keys`);
}

function newKey(
  { actor }: CallContext,
  input: CreateKey,
  workspaceId: string,
  prefix: string,
  at: Date,
): NewKeyRow {
  return {
    id: newId('key'),
    workspaceId,
    prefix,
    name: input.name,
    description: input.description ?? null,
    ownerId: input.ownerId ?? null,
    scopes: input.scopes ?? [],
    resources: input.resources ?? null,
    allowedIps: input.allowedIps ?? null,
    metadata: mergeMetadata({}, input.metadata ?? {}),
    enabled: input.enabled ?? true,
    ...lifetime({ notBefore: null, expiresAt: null }, input, at),
    createdAt: at,
    createdBy: actor,
    updatedAt: at,
  };
}

function patched(key: KeyRow, patch: PatchKey, at: Date): KeyChanges {
  const { notBefore, expiresAt, expiresInSeconds, metadata, ...plain } = patch;
  const changes: KeyChanges = {
    ...plain,
    ...lifetime(key, { notBefore, expiresAt, expiresInSeconds }, at),
  };
  if (metadata !== undefined) {
    changes.metadata = mergeMetadata(key.metadata, metadata);
    checkMetadata(changes.metadata);
  }
  return changes;
}

interface LifetimeInput {
  notBefore?: string | null | undefined;
  expiresAt?: string | null | undefined;
  expiresInSeconds?: number | undefined;
}

interface Lifetime {
  notBefore: Date | null;
  expiresAt: Date | null;
}

/** When a key is valid, after the wishes have been applied to what was. */
function lifetime(current: Lifetime, input: LifetimeInput, at: Date): Lifetime {
  const expiresAt = wishedExpiry(current, input, at);
  const notBefore = input.notBefore === undefined ? current.notBefore : toDate(input.notBefore);
  if (notBefore && expiresAt && notBefore >= expiresAt) {
    throw invalid('/body/notBefore', 'must be earlier than the expiry');
  }
  return { notBefore, expiresAt };
}

function wishedExpiry(current: Lifetime, input: LifetimeInput, at: Date): Date | null {
  const { expiresAt, expiresInSeconds } = input;
  if (expiresInSeconds !== undefined) {
    if (expiresAt === undefined) return new Date(at.getTime() + expiresInSeconds * 1000);
    throw invalid('/body/expiresInSeconds', 'give either expiresAt or expiresInSeconds, not both');
  }
  if (expiresAt === undefined) return current.expiresAt;
  const wished = toDate(expiresAt);
  if (wished && wished <= at) throw invalid('/body/expiresAt', 'must lie in the future');
  return wished;
}

function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}

function revocation({ actor }: CallContext, at: Date) {
  return { revokedAt: at, revokedBy: actor };
}
