import { authorizedWorkspaceId, type CallContext } from '../call-context.ts';
import type { SecretIssuer } from '../credentials/issuer.ts';
import { rotateSecret } from '../credentials/rotation.ts';
import { endRetiringSecret, insertSecret } from '../credentials/store.ts';
import type { Orm } from '../db/database.ts';
import { KeywardError } from '../errors.ts';
import { decodeCursor, encodeCursor } from '../http/cursor.ts';
import { etagOf, requireMatch, type Versioned } from '../http/etag.ts';
import { lifetime } from '../http/lifetime.ts';
import type { Clock } from '../lib/clock.ts';
import { differs } from '../unit-of-work/difference.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import { explainKey } from './explain/explanation.ts';
import type { ExplainKey, Explanation } from './explain/schemas.ts';
import { changeCredits, ensureQuotaRow, toLimitColumns } from './limits.ts';
import type { KeyPage, ListKeys } from './listing/schemas.ts';
import { listKeys, listName } from './listing/store.ts';
import { checkMetadata, mergeMetadata } from './metadata.ts';
import { newKeyRow } from './new-key.ts';
import {
  checkLifetime,
  checkMutability,
  checkScopes,
  enforceKeyQuota,
  lockWorkspace,
  policiesOf,
  requireApiAccess,
} from './policies.ts';
import { keyDifference, presentKey } from './presenter.ts';
import type { IssuedKey, Key } from './schemas/key.ts';
import type {
  ChangeCredits,
  CreateKey,
  PatchKey,
  RevokeKey,
  RotateKey,
} from './schemas/requests.ts';
import {
  findKey,
  insertKey,
  type KeyChanges,
  type KeyRecord,
  type KeyRow,
  lockKey,
  updateKey,
} from './store.ts';

export interface KeyServiceDependencies {
  orm: Orm;
  changes: UnitOfWork;
  issuer: SecretIssuer;
  clock: Clock;
}

/** Names one key of one workspace. */
export interface KeyName {
  id: string;
  workspaceId?: string | undefined;
}

/** The life of a key: one function a use case, one transaction a change. */
export class KeyService {
  readonly #deps: KeyServiceDependencies;

  constructor(dependencies: KeyServiceDependencies) {
    this.#deps = dependencies;
  }

  async create(call: CallContext, input: CreateKey): Promise<Versioned<IssuedKey>> {
    const { orm, changes, issuer } = this.#deps;
    const workspaceId = authorizedWorkspaceId(call, input.workspaceId);
    const issue = async () => {
      // Checked once before the costly hash, and again where it counts.
      const { prefix } = newKeyRow(call, input, await policiesOf(orm, workspaceId), this.#now());
      return { prefix, issued: await issuer.issue(prefix) };
    };
    return changes.runPrepared(call, issue, async (change, { prefix, issued }) => {
      const { tx, at } = change;
      const policies = await lockWorkspace(tx, workspaceId);
      requireApiAccess(policies);
      const row = { ...newKeyRow(call, input, policies, at), prefix };
      await enforceKeyQuota(change, workspaceId);
      const key = await insertKey(tx, row);
      await ensureQuotaRow(change, key, input.credits);
      await insertSecret(tx, { keyId: key.id, workspaceId }, issued, at);
      audit(change, 'created', null, key);
      return this.#issued(change, key, issued.key);
    });
  }

  async get(call: CallContext, { id, workspaceId }: KeyName): Promise<Versioned<Key>> {
    const found = await findKey(this.#deps.orm, authorizedWorkspaceId(call, workspaceId), id);
    if (!found) throw new KeywardError('NOT_FOUND');
    return this.#present(found);
  }

  async list(call: CallContext, query: ListKeys): Promise<KeyPage> {
    const { orm, clock } = this.#deps;
    const { limit, cursor } = query;
    const name = listName(query);
    const after = cursor === undefined ? null : decodeCursor(name, cursor);
    const workspaceId = authorizedWorkspaceId(call, query.workspaceId);
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
      if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
      const policies = await policiesOf(change.tx, key.workspaceId);
      checkMutability(policies, patch);
      checkScopes(policies, patch.scopes ?? []);
      const changes = patched(key, patch, change.at);
      const wished = { ...key, ...changes };
      if (hasExpiry(patch)) checkLifetime(policies, wished, change.at);
      if (isExpired(key, change.at) && !isExpired(wished, change.at)) {
        await enforceKeyQuota(change, key.workspaceId);
      }
      const updated = await updateIfChanged(change, 'updated', key, changes);
      if (patch.rateLimits || patch.credits) {
        await ensureQuotaRow(change, updated, patch.credits, key);
      }
      if (patch.credits?.remaining === undefined) return updated;
      const after = { credits: patch.credits.remaining };
      change.audit({ ...keyTarget(key, 'credits_changed'), before: null, after });
      return updateKey(change.tx, key.id, { updatedAt: change.at });
    });
  }

  /** In force everywhere once answered: the change of the key lifts remembered denials. */
  credits(call: CallContext, name: KeyName, input: ChangeCredits): Promise<Versioned<Key>> {
    return this.#change(call, name, async (change, key) => {
      if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
      const { before, after } = await changeCredits(change, key, input);
      const balances = { before: { credits: before }, after: { credits: after } };
      change.audit({ ...keyTarget(key, 'credits_changed'), ...balances });
      return updateKey(change.tx, key.id, { updatedAt: change.at });
    });
  }

  /** Final, and idempotent: a second call changes nothing and shows the first one's reason. */
  revoke(call: CallContext, name: KeyName, { reason, note }: RevokeKey): Promise<Versioned<Key>> {
    return this.#change(call, name, async (change, key) => {
      if (key.revokedAt) return key;
      const why = { revokeReason: reason ?? null, revokeNote: note ?? null };
      return updateIfChanged(change, 'revoked', key, { ...revocation(call, change.at), ...why });
    });
  }

  /** Revokes the key and takes it out of every list. Its history stays. */
  async delete(call: CallContext, name: KeyName): Promise<void> {
    await this.#deps.changes.run(call, async (change) => {
      const key = await lock(change, call, name);
      const revoked = key.revokedAt ? {} : revocation(call, change.at);
      const deleted = await updateIfChanged(change, 'deleted', key, {
        ...revoked,
        deletedAt: change.at,
      });
      return { body: {}, etag: etagOf(deleted) };
    });
  }

  /** The same key with a new string; the old one is valid until the grace ends. */
  async rotate(call: CallContext, name: KeyName, wish: RotateKey): Promise<Versioned<IssuedKey>> {
    const issue = async () => this.#deps.issuer.issue((await this.get(call, name)).body.prefix);
    return this.#deps.changes.runPrepared(call, issue, async (change, issued) => {
      const key = await lock(change, call, name);
      const { tx, at } = change;
      if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
      if (isExpired(key, at)) throw new KeywardError('KEY_EXPIRED');
      requireApiAccess(await policiesOf(tx, key.workspaceId));
      await rotateSecret(tx, { keyId: key.id, workspaceId: key.workspaceId }, issued, wish, at);
      const rotated = await updateKey(tx, key.id, { updatedAt: at });
      const { graceSeconds } = wish;
      const after = { graceSeconds, start: issued.start };
      change.audit({ ...keyTarget(key, 'rotated'), before: null, after });
      return this.#issued(change, rotated, issued.key);
    });
  }

  /** Ends the retiring string now. Nothing to end is not an error. */
  async endGrace(call: CallContext, name: KeyName): Promise<void> {
    await this.#deps.changes.run(call, async (change) => {
      const key = await lock(change, call, name);
      const ended = await endRetiringSecret(change.tx, key.id);
      if (ended.length > 0) {
        await updateKey(change.tx, key.id, { updatedAt: change.at });
        const after = { endedSecretIds: ended };
        change.audit({ ...keyTarget(key, 'grace_ended'), before: null, after });
      }
      return { body: {} };
    });
  }

  async explain(call: CallContext, name: KeyName, question: ExplainKey): Promise<Explanation> {
    const { orm, clock } = this.#deps;
    const found = await findKey(orm, authorizedWorkspaceId(call, name.workspaceId), name.id);
    if (!found) throw new KeywardError('NOT_FOUND');
    const policies = await policiesOf(orm, found.key.workspaceId);
    return explainKey(found, policies, question, clock.now());
  }

  #change(
    call: CallContext,
    name: KeyName,
    work: (change: WriteContext, key: KeyRow) => Promise<KeyRow>,
  ): Promise<Versioned<Key>> {
    return this.#deps.changes.run(call, async (change) =>
      this.#show(change, await work(change, await lock(change, call, name))),
    );
  }

  async #issued(change: WriteContext, row: KeyRow, key: string): Promise<Versioned<IssuedKey>> {
    const { body, etag } = await this.#show(change, row);
    return { body: { ...body, key }, etag };
  }

  async #show({ tx }: WriteContext, { workspaceId, id }: KeyRow): Promise<Versioned<Key>> {
    const found = await findKey(tx, workspaceId, id);
    if (!found) throw new Error('a key that was just written can be read');
    return this.#present(found);
  }

  #now(): Date {
    return this.#deps.clock.date();
  }

  #present(found: KeyRecord): Versioned<Key> {
    return { body: presentKey(found, this.#deps.clock.now()), etag: etagOf(found.key) };
  }
}

async function lock(change: WriteContext, call: CallContext, { id, workspaceId }: KeyName) {
  const key = await lockKey(change.tx, authorizedWorkspaceId(call, workspaceId), id);
  if (!key) throw new KeywardError('NOT_FOUND');
  requireMatch(call, etagOf(key));
  return key;
}

/** Writes what differs and puts it on the record; nothing where nothing differs. */
async function updateIfChanged(
  change: WriteContext,
  what: string,
  key: KeyRow,
  changes: KeyChanges,
): Promise<KeyRow> {
  if (!differs(key, changes)) return key;
  const updated = await updateKey(change.tx, key.id, { ...changes, updatedAt: change.at });
  audit(change, what, key, updated);
  return updated;
}

function audit(change: WriteContext, what: string, previous: KeyRow | null, next: KeyRow): void {
  change.audit({ ...keyTarget(next, what), ...keyDifference(previous, next) });
}

export function keyTarget({ workspaceId, id }: KeyRow, what: string) {
  return { workspaceId, action: `key.${what}`, target: { type: 'key' as const, id } };
}

function patched(key: KeyRow, patch: PatchKey, at: Date): KeyChanges {
  const { notBefore, expiresAt, expiresInSeconds, metadata, rateLimits, credits, ...plain } = patch;
  const wishes = { notBefore, expiresAt, expiresInSeconds };
  const limits = toLimitColumns(key, { rateLimits, credits });
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
