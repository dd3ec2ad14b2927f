import { authorizedWorkspaceId, type CallContext } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { type Actor, DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { stepTooSoon } from '../domain/idle-policy.ts';
import { MANAGEMENT_PREFIX } from '../domain/key-string.ts';
import { isTooLarge, MAX_STORED_BYTES } from '../domain/stored-size.ts';
import { invalidField, KeywardError } from '../errors.ts';
import { etagOf, requireMatch, type Versioned } from '../http/etag.ts';
import { readPage } from '../http/page.ts';
import type { CallResult } from '../http/reply.ts';
import type { Reason } from '../http/schemas.ts';
import { differs } from '../unit-of-work/difference.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditWorkspace, auditWorkspaceChange, type WorkspaceAction } from './audit.ts';
import { planOf, requireNotSuspended, requireSamePlan, requireUnbound } from './plan.ts';
import { presentWorkspace } from './presenter.ts';
import type { ListWorkspaces, Workspace, WorkspaceInput, WorkspacePage } from './schemas.ts';
import {
  findWorkspace,
  insertWorkspace,
  listWorkspaces,
  lockWorkspace,
  sizesOfWorkspaces,
  updateWorkspace,
  type WorkspaceChanges,
  type WorkspaceLock,
  type WorkspaceRow,
} from './store.ts';

/** The fields of a new workspace, and of one that `PUT` replaces without naming them. */
const DEFAULTS = {
  name: null,
  defaultPrefix: 'ak_live',
  apiAccess: true,
  maxActiveKeys: null,
  maxKeys: null,
  maxAuditEvents: null,
  maxRequestsPerSecond: null,
  requireExpiry: false,
  maxLifetimeSeconds: null,
  requireResource: false,
  availableScopes: null,
  immutableKeys: false,
  alertThresholds: null,
  idlePolicy: null,
  leakResponse: 'revoke',
} satisfies WorkspaceChanges;

type End = (write: WriteContext, workspaceId: string, by: Actor) => Promise<number>;

export interface WorkspaceServiceDependencies {
  orm: Orm;
  unitOfWork: UnitOfWork;
  countKeys: (write: WriteContext, workspaceId: string) => Promise<number>;
  /** Ends a bounded number of the keys; the others end later. */
  endSomeKeys: End;
  hasKeys: (write: WriteContext, workspaceId: string) => Promise<boolean>;
  endManagementKeys: End;
  endWebhooks: End;
}

export type PutResult = Versioned<Workspace> & { created: boolean };

/** The life of a workspace: one function a use case. */
export class WorkspaceService {
  readonly #deps: WorkspaceServiceDependencies;

  constructor(deps: WorkspaceServiceDependencies) {
    this.#deps = deps;
  }

  async get(call: CallContext, id: string): Promise<Versioned<Workspace>> {
    const row = await findWorkspace(this.#deps.orm, authorizedWorkspaceId(call, id));
    if (!row) throw new KeywardError('NOT_FOUND');
    return versioned(row);
  }

  async list({ caller }: CallContext, query: ListWorkspaces): Promise<WorkspacePage> {
    const only = caller.workspaceId;
    const { rows, nextCursor } = await readPage(query, {
      name: 'workspaces',
      read: (after, limit) =>
        listWorkspaces(this.#deps.orm, { only, after: after?.id ?? null, limit }),
      measure: (after, limit) =>
        sizesOfWorkspaces(this.#deps.orm, { only, after: after?.id ?? null, limit }),
      positionOf: ({ id }) => ({ value: null, id }),
    });
    return { data: rows.map(presentWorkspace), nextCursor };
  }

  /** Creates a workspace or replaces its fields, so that provisioning can be repeated. */
  put(call: CallContext, id: string, input: WorkspaceInput): Promise<PutResult> {
    refuseReservedPrefix(input);
    requireNotice(input);
    const fields = { ...DEFAULTS, ...input };
    refuseTooLarge(fields);
    return this.#deps.unitOfWork.run(call, async (write) => {
      const { tx, at } = write;
      const row = { id: authorizedWorkspaceId(call, id), ...fields, createdAt: at, updatedAt: at };
      const isNew = call.ifMatch === null && (await insertWorkspace(tx, row));
      const current = await lockWorkspace(tx, id, 'update');
      if (current && isNew) return createdResult(write, current);
      if (current && !current.deletedAt) {
        if (call.mustBeNew) throw new KeywardError('PRECONDITION_FAILED');
        requireMatch(call, etagOf(current));
        requireNotSuspended(call.caller, current);
        requireSamePlan(call.caller, current, input);
        const kept = call.caller.workspaceId === null ? {} : planOf(current);
        const updated = await updateIfChanged(write, 'updated', current, { ...fields, ...kept });
        return { ...versioned(updated), created: false };
      }
      if (call.ifMatch !== null || !current) throw new KeywardError('PRECONDITION_FAILED');
      requireUnbound(call.caller, 'create a workspace again');
      return createdResult(write, await this.#createAgain(write, current, row));
    });
  }

  /** Not while a key is left that the new workspace would revive. */
  async #createAgain(write: WriteContext, deleted: WorkspaceRow, row: WorkspaceChanges) {
    const { id, deletedAt } = deleted;
    if (await this.#deps.hasKeys(write, id)) throw new KeywardError('WORKSPACE_DELETION_UNDER_WAY');
    // Younger than everything of its predecessor, which bound callers must not see.
    const createdAt = new Date(Math.max(write.at.getTime(), (deletedAt?.getTime() ?? 0) + 1));
    const again = { ...row, status: 'active' as const, createdAt, deletedAt: null };
    return updateWorkspace(write.tx, id, again);
  }

  patch(call: CallContext, id: string, input: WorkspaceInput): Promise<Versioned<Workspace>> {
    refuseReservedPrefix(input);
    requireNotice(input);
    return this.#change(call, id, 'update', (write, row) => {
      refuseTooLarge({ ...row, ...input });
      requireSamePlan(call.caller, row, input);
      return updateIfChanged(write, 'updated', row, input);
    });
  }

  /** No key of a suspended workspace is valid; nothing of it is lost. Never waits for an import. */
  suspend(call: CallContext, id: string, reason: Reason): Promise<Versioned<Workspace>> {
    return this.#change(call, id, 'no key update', (write, row) =>
      updateIfChanged(write, 'suspended', row, { status: 'suspended' }, reason),
    );
  }

  resume(call: CallContext, id: string, reason: Reason): Promise<Versioned<Workspace>> {
    return this.#change(call, id, 'no key update', async (write, row) => {
      requireUnbound(call.caller, 'resume a workspace');
      return updateIfChanged(write, 'resumed', row, { status: 'active' }, reason);
    });
  }

  /**
   * Ends the workspace, and with it its keys, management keys and webhooks; usage and audit entries stay. No
   * key of a deleted workspace is valid, so all but some of their rows can follow later.
   */
  async delete(call: CallContext, id: string): Promise<CallResult<object>> {
    if (authorizedWorkspaceId(call, id) === DEFAULT_WORKSPACE)
      throw new KeywardError('DEFAULT_WORKSPACE');
    const { countKeys, endSomeKeys, endManagementKeys, endWebhooks } = this.#deps;
    return this.#change(call, id, 'update', async (write, row) => {
      const keysEnded = await countKeys(write, id);
      await endSomeKeys(write, id, call.actor);
      await endManagementKeys(write, id, call.actor);
      await endWebhooks(write, id, call.actor);
      auditWorkspace(write, 'deleted', row, { after: { keysEnded } });
      return updateWorkspace(write.tx, id, { deletedAt: write.at });
    });
  }

  #change(
    call: CallContext,
    id: string,
    lock: WorkspaceLock,
    change: (write: WriteContext, row: WorkspaceRow) => Promise<WorkspaceRow>,
  ): Promise<Versioned<Workspace>> {
    return this.#deps.unitOfWork.run(call, async (write) => {
      const row = await lockWorkspace(write.tx, authorizedWorkspaceId(call, id), lock);
      if (!row || row.deletedAt) throw new KeywardError('NOT_FOUND');
      requireMatch(call, etagOf(row));
      requireNotSuspended(call.caller, row);
      return versioned(await change(write, row));
    });
  }
}

function createdResult(write: WriteContext, row: WorkspaceRow): PutResult {
  auditWorkspace(write, 'created', row, { after: presentWorkspace(row) });
  return { ...versioned(row), created: true };
}

/** Writes and audits what differs; nothing if nothing does. */
async function updateIfChanged(
  write: WriteContext,
  action: WorkspaceAction,
  row: WorkspaceRow,
  changes: WorkspaceChanges,
  reason: Reason = {},
): Promise<WorkspaceRow> {
  if (!differs(row, changes)) return row;
  const updated = await updateWorkspace(write.tx, row.id, { ...changes, updatedAt: write.at });
  auditWorkspaceChange(write, action, row, updated, reason);
  return updated;
}

function refuseReservedPrefix({ defaultPrefix }: WorkspaceInput): void {
  if (defaultPrefix !== MANAGEMENT_PREFIX) return;
  const detail = `${MANAGEMENT_PREFIX} is the prefix of management keys`;
  throw invalidField('/body/defaultPrefix', detail);
}

/** Nothing of a policy happens to a key before what comes first was visible for long enough. */
function requireNotice({ idlePolicy }: WorkspaceInput): void {
  if (!idlePolicy) return;
  const step = stepTooSoon(idlePolicy);
  if (step === null) return;
  const detail = 'must be at least noticeDays after the step before it, and needs warnAfterDays';
  throw invalidField(`/body/idlePolicy/${step}`, detail);
}

/** As it would be after a change, however small that is. */
function refuseTooLarge(workspace: WorkspaceChanges): void {
  const names = Object.keys(DEFAULTS);
  const stored = Object.fromEntries(names.map((name) => [name, Reflect.get(workspace, name)]));
  if (!isTooLarge(stored)) return;
  throw invalidField('/body', `makes the workspace larger than ${MAX_STORED_BYTES} bytes as JSON`);
}

function versioned(row: WorkspaceRow): Versioned<Workspace> {
  return { body: presentWorkspace(row), etag: etagOf(row) };
}
