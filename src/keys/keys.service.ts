import type { Change, Changes } from '../changes/changes.ts';
import { differs } from '../changes/difference.ts';
import type { Orm } from '../db/database.ts';
import { type CallContext, requireMatch, workspaceOf } from '../http/authentication.ts';
import { decodeCursor, encodeCursor } from '../http/cursor.ts';
import { lifetime } from '../http/lifetime.ts';
import { Problem } from '../http/problem.ts';
import type { Clock } from '../lib/clock.ts';
import type { Issuer } from '../secrets/issuer.ts';
import { endGrace, rotateSecret } from '../secrets/rotation.ts';
import { insertSecret } from '../secrets/secrets.store.ts';
import type { IssuedKey, Key } from './key.schemas.ts';
import type { ExplainKey, Explanation } from './keys.explanation.schemas.ts';
import { explainKey } from './keys.explanation.ts';
import { changeCredits, limitColumns, prepareConsumption } from './keys.limits.ts';
import type { KeyPage, ListKeys } from './keys.listing.schemas.ts';
import { listKeys, listName } from './keys.listing.ts';
import { etagOf, keyDifference, presentKey } from './keys.presenter.ts';
import type { ChangeCredits, CreateKey, PatchKey, RevokeKey, RotateKey } from './keys.schemas.ts';
import {
  findKey,
  insertKey,
  type KeyChanges,
  type KeyRecord,
  type KeyRow,
  lockKey,
  updateKey,
} from './keys.store.ts';
import { checkMetadata, mergeMetadata } from './metadata.ts';
import { newKeyRow } from './new-key.ts';
import {
  checkLifetime,
  checkMutability,
  checkScopes,
  holdPolicies,
  policiesOf,
  requireApiAccess,
  requireRoom,
} from './policies.ts';

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

/** Names one key of one workspace. */
export interface KeyName {
  id: string;
  workspaceId?: string | undefined;
}

/** The life of a key: one function a use case, one transaction a change. */
export class KeyService {
  readonly #its: KeyServiceDependencies;

  constructor(dependencies: KeyServiceDependencies) {
    this.#its = dependencies;
  }

  async create(call: CallContext, input: CreateKey): Promise<Versioned<IssuedKey>> {
    const { orm, changes, issuer } = this.#its;
    const workspaceId = workspaceOf(call, input.workspaceId);
    await changes.replay(call);
    // Checked once before the costly hash, and again where it counts.
    const { prefix } = newKeyRow(call, input, await policiesOf(orm, workspaceId), this.#now());
    const issued = await issuer.issue(prefix);
    return changes.run(call, async (change) => {
      const { tx, at } = change;
      const policies = await holdPolicies(tx, workspaceId);
      requireApiAccess(policies);
      const row = { ...newKeyRow(call, input, policies, at), prefix };
      await requireRoom(change, workspaceId);
      const key = await insertKey(tx, row);
      await prepareConsumption(change, key, input.credits);
      await insertSecret(tx, { keyId: key.id, workspaceId }, issued, at);
      record(change, 'created', null, key);
      return this.#issued(change, key, issued.key);
    });
  }

  async get(call: CallContext, { id, workspaceId }: KeyName): Promise<Versioned<Key>> {
    const found = await findKey(this.#its.orm, workspaceOf(call, workspaceId), id);
    if (!found) throw new Problem('NOT_FOUND');
    return this.#present(found);
  }

  async list(call: CallContext, query: ListKeys): Promise<KeyPage> {
    const { orm, clock } = this.#its;
    const { limit, cursor } = query;
    const name = listName(query);
    const after = cursor === undefined ? null : decodeCursor(name, cursor);
    const workspaceId = workspaceOf(call, query.workspaceId);
    const wish = { after, now: clock.date(), limit: limit + 1 };
    const found = await listKeys(orm, workspaceId, query, wish);
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return {
      data: page.map((record) => this.#present(record).body),
      nextCursor: last ? encodeCursor(name, { value: last.sortValue, id: last.key.id }) : null,
    };
  }

  patch(call: CallContext, name: KeyName, patch: PatchKey): Promise<Versioned<Key>> {
    return this.#change(call, name, async (change, key) => {
      if (key.revokedAt) throw new Problem('KEY_REVOKED');
      const policies = await policiesOf(change.tx, key.workspaceId);
      checkMutability(policies, patch);
      checkScopes(policies, patch.scopes ?? []);
      const changes = patched(key, patch, change.at);
      const wished = { ...key, ...changes };
      if (hasExpiry(patch)) checkLifetime(policies, wished, change.at);
      if (isExpired(key, change.at) && !isExpired(wished, change.at)) {
        await requireRoom(change, key.workspaceId);
      }
      const updated = await apply(change, 'updated', key, changes);
      if (patch.rateLimits || patch.credits) {
        await prepareConsumption(change, updated, patch.credits, key);
      }
      if (patch.credits?.remaining === undefined) return updated;
      const after = { credits: patch.credits.remaining };
      change.record({ ...aboutKey(key, 'credits_changed'), before: null, after });
      return updateKey(change.tx, key.id, { updatedAt: change.at });
    });
  }

  /** In force everywhere once answered: the change of the key lifts remembered denials. */
  credits(call: CallContext, name: KeyName, input: ChangeCredits): Promise<Versioned<Key>> {
    return this.#change(call, name, async (change, key) => {
      if (key.revokedAt) throw new Problem('KEY_REVOKED');
      const { before, after } = await changeCredits(change, key, input);
      const balances = { before: { credits: before }, after: { credits: after } };
      change.record({ ...aboutKey(key, 'credits_changed'), ...balances });
      return updateKey(change.tx, key.id, { updatedAt: change.at });
    });
  }

  /** Final, and idempotent: a second call changes nothing and shows the first one's reason. */
  revoke(call: CallContext, name: KeyName, { reason, note }: RevokeKey): Promise<Versioned<Key>> {
    return this.#change(call, name, async (change, key) => {
      if (key.revokedAt) return key;
      const why = { revokeReason: reason ?? null, revokeNote: note ?? null };
      return apply(change, 'revoked', key, { ...revocation(call, change.at), ...why });
    });
  }

  /** Revokes the key and takes it out of every list. Its history stays. */
  async delete(call: CallContext, name: KeyName): Promise<void> {
    await this.#its.changes.run(call, async (change) => {
      const key = await lock(change, call, name);
      const revoked = key.revokedAt ? {} : revocation(call, change.at);
      const deleted = await apply(change, 'deleted', key, { ...revoked, deletedAt: change.at });
      return { body: {}, etag: etagOf(deleted) };
    });
  }

  /** The same key with a new string; the old one is valid until the grace ends. */
  async rotate(call: CallContext, name: KeyName, wish: RotateKey): Promise<Versioned<IssuedKey>> {
    await this.#its.changes.replay(call);
    const { prefix } = (await this.get(call, name)).body;
    const issued = await this.#its.issuer.issue(prefix);
    return this.#its.changes.run(call, async (change) => {
      const key = await lock(change, call, name);
      const { tx, at } = change;
      if (key.revokedAt) throw new Problem('KEY_REVOKED');
      if (isExpired(key, at)) throw new Problem('KEY_EXPIRED');
      requireApiAccess(await policiesOf(tx, key.workspaceId));
      await rotateSecret(tx, { keyId: key.id, workspaceId: key.workspaceId }, issued, wish, at);
      const rotated = await updateKey(tx, key.id, { updatedAt: at });
      const { graceSeconds } = wish;
      const after = { graceSeconds, start: issued.start };
      change.record({ ...aboutKey(key, 'rotated'), before: null, after });
      return this.#issued(change, rotated, issued.key);
    });
  }

  /** Ends the retiring string now. Nothing to end is not an error. */
  async endGrace(call: CallContext, name: KeyName): Promise<void> {
    await this.#its.changes.run(call, async (change) => {
      const key = await lock(change, call, name);
      const ended = await endGrace(change.tx, key.id);
      if (ended.length > 0) {
        await updateKey(change.tx, key.id, { updatedAt: change.at });
        const after = { endedSecretIds: ended };
        change.record({ ...aboutKey(key, 'grace_ended'), before: null, after });
      }
      return { body: {} };
    });
  }

  async explain(call: CallContext, name: KeyName, question: ExplainKey): Promise<Explanation> {
    const { orm, clock } = this.#its;
    const found = await findKey(orm, workspaceOf(call, name.workspaceId), name.id);
    if (!found) throw new Problem('NOT_FOUND');
    const policies = await policiesOf(orm, found.key.workspaceId);
    return explainKey(found, policies, question, clock.now());
  }

  #change(
    call: CallContext,
    name: KeyName,
    work: (change: Change, key: KeyRow) => Promise<KeyRow>,
  ): Promise<Versioned<Key>> {
    return this.#its.changes.run(call, async (change) =>
      this.#show(change, await work(change, await lock(change, call, name))),
    );
  }

  async #issued(change: Change, row: KeyRow, key: string): Promise<Versioned<IssuedKey>> {
    const { body, etag } = await this.#show(change, row);
    return { body: { ...body, key }, etag };
  }

  async #show({ tx }: Change, { workspaceId, id }: KeyRow): Promise<Versioned<Key>> {
    const found = await findKey(tx, workspaceId, id);
    if (!found) throw new Error('a key that was just written can be read');
    return this.#present(found);
  }

  #now(): Date {
    return this.#its.clock.date();
  }

  #present(found: KeyRecord): Versioned<Key> {
    return { body: presentKey(found, this.#its.clock.now()), etag: etagOf(found.key) };
  }
}

async function lock(change: Change, call: CallContext, { id, workspaceId }: KeyName) {
  const key = await lockKey(change.tx, workspaceOf(call, workspaceId), id);
  if (!key) throw new Problem('NOT_FOUND');
  requireMatch(call, etagOf(key));
  return key;
}

/** Writes what differs and puts it on the record; nothing where nothing differs. */
async function apply(
  change: Change,
  what: string,
  key: KeyRow,
  changes: KeyChanges,
): Promise<KeyRow> {
  if (!differs(key, changes)) return key;
  const updated = await updateKey(change.tx, key.id, { ...changes, updatedAt: change.at });
  record(change, what, key, updated);
  return updated;
}

function record(change: Change, what: string, previous: KeyRow | null, next: KeyRow): void {
  change.record({ ...aboutKey(next, what), ...keyDifference(previous, next) });
}

export function aboutKey({ workspaceId, id }: KeyRow, what: string) {
  return { workspaceId, action: `key.${what}`, target: { type: 'key' as const, id } };
}

function patched(key: KeyRow, patch: PatchKey, at: Date): KeyChanges {
  const { notBefore, expiresAt, expiresInSeconds, metadata, rateLimits, credits, ...plain } = patch;
  const wishes = { notBefore, expiresAt, expiresInSeconds };
  const limits = limitColumns(key, { rateLimits, credits });
  const changes: KeyChanges = { ...plain, ...lifetime(key, wishes, at), ...limits };
  if (metadata !== undefined) {
    changes.metadata = mergeMetadata(key.metadata, metadata);
    checkMetadata(changes.metadata);
  }
  return changes;
}

function hasExpiry({ expiresAt, expiresInSeconds }: PatchKey): boolean {
  return expiresAt !== undefined || expiresInSeconds !== undefined;
}

function isExpired({ expiresAt }: Pick<KeyRow, 'expiresAt'>, at: Date): boolean {
  return expiresAt !== null && expiresAt <= at;
}

export function revocation({ actor }: CallContext, at: Date) {
  return { revokedAt: at, revokedBy: actor };
}
