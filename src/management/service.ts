import { type CallContext, EVERY_WORKSPACE, listedWorkspaceId } from '../call-context.ts';
import type { IssuedSecret, SecretIssuer } from '../credentials/issuer.ts';
import { rotateSecret } from '../credentials/rotation.ts';
import { insertSecret } from '../credentials/store.ts';
import type { Orm } from '../db/database.ts';
import type { Caller } from '../domain/caller.ts';
import { MANAGEMENT_PREFIX, newId } from '../domain/key-string.ts';
import { FIRST_INSTANT, toIso } from '../domain/time.ts';
import { KeywardError, noWorkspace } from '../errors.ts';
import { etagOf, requireMatch, type Versioned } from '../http/etag.ts';
import { lifetime } from '../http/lifetime.ts';
import { readPage } from '../http/page.ts';
import type { Clock } from '../lib/clock.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import {
  findWorkspace,
  lockWorkspace,
  type WorkspaceRow,
  workspaceExisted,
} from '../workspaces/store.ts';
import { auditManagementKey } from './audit.ts';
import { isLater, mayExtend, patchManagementKey } from './change.ts';
import {
  type Authority,
  authorityOf,
  bindingOf,
  isFaster,
  lockAuthority,
  requireExpiryWithin,
  requireGrantable,
  requireRateWithin,
} from './grants.ts';
import { isExpired, isRetiring, presentManagementKey, presentVersioned } from './presenter.ts';
import { revokeManagementKey } from './revocation.ts';
import type {
  CreateManagementKey,
  IssuedManagementKey,
  ListManagementKeys,
  ManagementKey,
  ManagementKeyPage,
  PatchManagementKey,
  RevokedManagementKey,
  RevokeManagementKey,
  RotateManagementKey,
} from './schemas.ts';
import {
  findManagementKey,
  insertManagementKey,
  isOneOf,
  listManagementKeys,
  lockManagementKey,
  lockManagementKeys,
  type ManagementRow,
  type Scope,
  updateManagementKey,
} from './store.ts';

export interface ManagementDependencies {
  orm: Orm;
  unitOfWork: UnitOfWork;
  issuer: SecretIssuer;
  clock: Clock;
}

/** The life of a management key: one function a use case. */
export class ManagementService {
  readonly #deps: ManagementDependencies;

  constructor(deps: ManagementDependencies) {
    this.#deps = deps;
  }

  async create(
    call: CallContext,
    input: CreateManagementKey,
  ): Promise<Versioned<IssuedManagementKey>> {
    const workspaceId = bindingOf(call.caller, input.workspaceId);
    requireGrantable(authorityOf(call.caller), input.permissions);
    const prepare = () => this.#issueFor(call.caller, workspaceId, input);
    return this.#deps.unitOfWork.runPrepared(call, prepare, async (write, issued) => {
      const { tx, at } = write;
      if (workspaceId !== null) {
        requireWorkspace(workspaceId, await lockWorkspace(tx, workspaceId, 'key share'));
      }
      const { name, permissions } = input;
      const authority = await lockAuthority(tx, call.caller, at);
      requireGrantable(authority, permissions);
      const expiresAt = expiryOf(input, authority, at);
      const maxRequestsPerSecond = rateOf(input, authority);
      const granted = { permissions, expiresAt, maxRequestsPerSecond };
      const row = { id: newId('mk'), workspaceId, name, ...granted };
      const made = { createdAt: at, createdBy: call.actor, updatedAt: at };
      await insertManagementKey(tx, { ...row, ...made });
      await insertSecret(tx, { keyId: row.id, workspaceId }, issued, at);
      const after = { name, workspaceId, ...granted, expiresAt: toIso(expiresAt) };
      auditManagementKey(write, 'created', row, { after });
      return issuedResult(await readBack(write, row.id), issued);
    });
  }

  /** What can be refused is refused before the costly hash, and checked again in the transaction. */
  async #issueFor(
    caller: Caller,
    workspaceId: string | null,
    input: CreateManagementKey,
  ): Promise<IssuedSecret> {
    const { orm, clock, issuer } = this.#deps;
    if (workspaceId !== null) requireWorkspace(workspaceId, await findWorkspace(orm, workspaceId));
    expiryOf(input, authorityOf(caller), clock.date());
    rateOf(input, authorityOf(caller));
    return issuer.issue(MANAGEMENT_PREFIX, { group: workspaceId ?? '' });
  }

  async get(call: CallContext, id: string): Promise<Versioned<ManagementKey>> {
    const { orm, clock } = this.#deps;
    const record = await findManagementKey(orm, id, scopeOf(call.caller));
    if (!record) throw new KeywardError('NOT_FOUND');
    return presentVersioned(record, clock.date());
  }

  async list(call: CallContext, query: ListManagementKeys): Promise<ManagementKeyPage> {
    const { orm, clock } = this.#deps;
    const { createdBy } = query;
    const workspaceId = listedWorkspaceId(call, query.workspaceId ?? everywhereOf(call, createdBy));
    if (workspaceId !== null && !(await workspaceExisted(orm, workspaceId))) {
      throw noWorkspace(workspaceId);
    }
    const currentOnly = call.caller.workspaceId !== null;
    const scope = workspaceId === null ? null : { workspaceId, currentOnly };
    const { rows, nextCursor } = await readPage(query, {
      name: 'management-keys',
      read: (after, limit) => listManagementKeys(orm, { scope, createdBy }, after, limit),
      positionOf: ({ key }) => ({ value: positionIn(key.createdAt), id: key.id }),
    });
    const now = clock.date();
    return { data: rows.map((record) => presentManagementKey(record, now)), nextCursor };
  }

  /** The same key with a new string; the old one is valid until the grace ends. */
  rotate(
    call: CallContext,
    id: string,
    options: RotateManagementKey,
  ): Promise<Versioned<IssuedManagementKey>> {
    const prepare = () => this.#reissue(call, id, options);
    return this.#deps.unitOfWork.runPrepared(call, prepare, async (write, issued) => {
      const { tx, at } = write;
      await lockManagementKeys(tx, isOneOf([call.caller.id, id]));
      const authority = await lockAuthority(tx, call.caller, at);
      const key = await lockNamedKey(write, call, id);
      requireRotatable(authority, key, at);
      await rotateSecret(tx, { keyId: id, workspaceId: key.workspaceId }, issued, options, at);
      const rotatedBy = rotatorsOf(key, call, options);
      await updateManagementKey(tx, id, { rotatedBy, updatedAt: at });
      const { graceSeconds } = options;
      auditManagementKey(write, 'rotated', key, { after: { graceSeconds } });
      return issuedResult(await readBack(write, id), issued);
    });
  }

  /** As for a new key: refused before the costly hash, and checked again in the transaction. */
  async #reissue(
    call: CallContext,
    id: string,
    { supersede }: RotateManagementKey,
  ): Promise<IssuedSecret> {
    const { orm, clock, issuer } = this.#deps;
    const record = await findManagementKey(orm, id, scopeOf(call.caller));
    if (!record) throw new KeywardError('NOT_FOUND');
    requireMatch(call, etagOf(record.key));
    requireRotatable(authorityOf(call.caller), record.key, clock.date());
    if (!supersede && isRetiring(record, clock.date())) {
      throw new KeywardError('ROTATION_UNDER_WAY');
    }
    const group = record.key.workspaceId ?? '';
    return issuer.issue(MANAGEMENT_PREFIX, { group, urgent: true });
  }

  patch(
    call: CallContext,
    id: string,
    patch: PatchManagementKey,
  ): Promise<Versioned<ManagementKey>> {
    return this.#deps.unitOfWork.run(call, async (write) => {
      if (mayExtend(patch)) await lockManagementKeys(write.tx, isOneOf([call.caller.id, id]));
      await patchManagementKey(write, call, await lockNamedKey(write, call, id), patch);
      return readBack(write, id);
    });
  }

  /** Final, and idempotent. With the keys that it created, unless they are to stay. */
  revoke(
    call: CallContext,
    id: string,
    { includeCreated = true, ...reason }: RevokeManagementKey,
  ): Promise<Versioned<RevokedManagementKey>> {
    return this.#deps.unitOfWork.run(call, async (write) => {
      const revocation = { by: call.actor, includeCreated, ...reason };
      const key = await lockNamedKey(write, call, id);
      const alsoRevoked = await revokeManagementKey(write, key, revocation);
      const { body, etag } = await readBack(write, id);
      return { body: { ...body, alsoRevoked }, etag };
    });
  }
}

/** What a key created may be in every workspace that the caller is for. */
function everywhereOf({ caller }: CallContext, createdBy: string | undefined): string | undefined {
  return createdBy !== undefined && caller.workspaceId === null ? EVERY_WORKSPACE : undefined;
}

/** The management keys that a caller can name: all, or those of its workspace's present tenant. */
function scopeOf({ workspaceId }: Caller): Scope {
  return workspaceId === null ? null : { workspaceId, currentOnly: true };
}

/** The key's row, locked, if it is the version that the caller read. */
async function lockNamedKey(
  { tx }: WriteContext,
  call: CallContext,
  id: string,
): Promise<ManagementRow> {
  const key = await lockManagementKey(tx, id, scopeOf(call.caller));
  if (!key) throw new KeywardError('NOT_FOUND');
  requireMatch(call, etagOf(key));
  return key;
}

/** The key as this transaction has written it. */
async function readBack({ tx, at }: WriteContext, id: string): Promise<Versioned<ManagementKey>> {
  const record = await findManagementKey(tx, id, null);
  if (!record) throw new Error('a management key that was just written can be read');
  return presentVersioned(record, at);
}

/** Only once no string is left that one of them was handed, none of them has it. */
function rotatorsOf(
  { id, rotatedBy }: ManagementRow,
  { caller }: CallContext,
  { graceSeconds }: RotateManagementKey,
): string[] {
  if (caller.type === 'root') return graceSeconds === 0 ? [] : rotatedBy;
  return caller.id === id || rotatedBy.includes(caller.id) ? rotatedBy : [...rotatedBy, caller.id];
}

function issuedResult({ body, etag }: Versioned<ManagementKey>, { key }: IssuedSecret) {
  return { body: { ...body, key }, etag };
}

/** A rotation hands the key to its caller, who must not have more by it. */
function requireRotatable(authority: Authority, key: ManagementRow, at: Date): void {
  requireGrantable(authority, key.permissions);
  if (isLater(key.expiresAt, authority.expiresAt)) {
    throw new KeywardError(
      'FORBIDDEN',
      'The management key expires later than your own; rotate it with one that expires no earlier.',
    );
  }
  if (isFaster(key.maxRequestsPerSecond, authority.maxRequestsPerSecond)) {
    throw new KeywardError('FORBIDDEN', 'The management key may make more calls than your own.');
  }
  if (key.revokedAt) throw new KeywardError('KEY_REVOKED');
  if (isExpired(key, at)) throw new KeywardError('KEY_EXPIRED');
}

function requireWorkspace(id: string, row: WorkspaceRow | null): void {
  if (row && !row.deletedAt) return;
  throw noWorkspace(id);
}

/** As requested, but no later than its maker's; without one, its maker's. */
function expiryOf(input: CreateManagementKey, maker: Authority, at: Date): Date | null {
  const { expiresAt } = lifetime({ notBefore: null, expiresAt: null }, input, at);
  if (expiresAt === null) return maker.expiresAt;
  requireExpiryWithin(maker.expiresAt, expiresAt, input);
  return expiresAt;
}

/** As requested, but no more than its maker's; without one, its maker's. */
function rateOf({ maxRequestsPerSecond }: CreateManagementKey, maker: Authority): number | null {
  const requested = maxRequestsPerSecond ?? maker.maxRequestsPerSecond;
  requireRateWithin(maker.maxRequestsPerSecond, requested);
  return requested;
}

/** What was made before every day that can be shown ends the list, and is not listed again. */
function positionIn(createdAt: Date): string {
  return createdAt <= FIRST_INSTANT ? '-infinity' : toIso(createdAt);
}
