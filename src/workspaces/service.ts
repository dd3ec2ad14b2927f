import { authorizedWorkspaceId, type CallContext } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { DEFAULT_WORKSPACE } from '../domain/caller.ts';
import { MANAGEMENT_PREFIX } from '../domain/key-string.ts';
import { invalidField, KeywardError } from '../errors.ts';
import { decodeCursor, encodeCursor } from '../http/cursor.ts';
import { etagOf, requireMatch, type Versioned } from '../http/etag.ts';
import { differs, pickChanged } from '../unit-of-work/difference.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import type { ListWorkspaces, Workspace, WorkspaceInput, WorkspacePage } from './schemas.ts';
import {
  endKeys,
  findWorkspace,
  insertWorkspace,
  listWorkspaces,
  lockWorkspace,
  updateWorkspace,
  type WorkspaceChanges,
  type WorkspaceRow,
} from './store.ts';

const LIST = 'workspaces';

/** What a new workspace is, and what `PUT` returns a field to that it does not name. */
const DEFAULTS = {
  name: null,
  defaultPrefix: 'ak_live',
  apiAccess: true,
  maxActiveKeys: null,
  requireExpiry: false,
  maxLifetimeSeconds: null,
  requireResource: false,
  availableScopes: null,
  immutableKeys: false,
} satisfies WorkspaceChanges;

export interface WorkspaceAnswer extends Versioned<Workspace> {
  created: boolean;
}

/** The life of a workspace: one function a use case. */
export class WorkspaceService {
  readonly #orm: Orm;
  readonly #changes: UnitOfWork;

  constructor(orm: Orm, changes: UnitOfWork) {
    this.#orm = orm;
    this.#changes = changes;
  }

  async get(call: CallContext, id: string): Promise<WorkspaceAnswer> {
    const row = await findWorkspace(this.#orm, authorizedId(call, id));
    if (!row) throw new KeywardError('NOT_FOUND');
    return answer(row);
  }

  async list({ caller }: CallContext, { limit, cursor }: ListWorkspaces): Promise<WorkspacePage> {
    const after = cursor === undefined ? null : decodeCursor(LIST, cursor).id;
    const found = await listWorkspaces(this.#orm, {
      only: caller.workspaceId,
      after,
      limit: limit + 1,
    });
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return {
      data: page.map(present),
      nextCursor: last ? encodeCursor(LIST, { value: null, id: last.id }) : null,
    };
  }

  /** Creates it or replaces its fields, so that provisioning can be repeated. */
  put(call: CallContext, id: string, input: WorkspaceInput): Promise<WorkspaceAnswer> {
    refuseReservedPrefix(input);
    return this.#changes.run(call, async (change) => {
      const fields = { ...DEFAULTS, ...input };
      const { tx, at } = change;
      const row = { id: authorizedId(call, id), ...fields, createdAt: at, updatedAt: at };
      const isNew = call.ifMatch === null && (await insertWorkspace(tx, row));
      const current = await lockWorkspace(tx, id);
      if (current && isNew) return created(change, current);
      if (current && !current.deletedAt) {
        requireMatch(call, etagOf(current));
        return answer(await updateIfChanged(change, 'updated', current, fields));
      }
      if (call.ifMatch !== null) throw new KeywardError('PRECONDITION_FAILED');
      const again = { ...row, status: 'active' as const, deletedAt: null };
      return created(change, await updateWorkspace(tx, id, again));
    });
  }

  patch(call: CallContext, id: string, input: WorkspaceInput): Promise<WorkspaceAnswer> {
    refuseReservedPrefix(input);
    return this.#change(call, id, (change, row) => updateIfChanged(change, 'updated', row, input));
  }

  /** No key of a suspended workspace is valid; nothing of it is lost. */
  suspend(call: CallContext, id: string): Promise<WorkspaceAnswer> {
    return this.#change(call, id, (change, row) =>
      updateIfChanged(change, 'suspended', row, { status: 'suspended' }),
    );
  }

  resume(call: CallContext, id: string): Promise<WorkspaceAnswer> {
    return this.#change(call, id, (change, row) =>
      updateIfChanged(change, 'resumed', row, { status: 'active' }),
    );
  }

  /** Offboarding: its keys and management keys end at once; usage and audit entries stay. */
  async delete(call: CallContext, id: string): Promise<void> {
    if (id === DEFAULT_WORKSPACE) throw new KeywardError('DEFAULT_WORKSPACE');
    await this.#change(call, id, async (change, row) => {
      const keysEnded = await endKeys(change.tx, id, call.actor, change.at);
      const deleted = await updateWorkspace(change.tx, id, { deletedAt: change.at });
      audit(change, 'deleted', row, { before: null, after: { keysEnded } });
      return deleted;
    });
  }

  #change(
    call: CallContext,
    id: string,
    work: (change: WriteContext, row: WorkspaceRow) => Promise<WorkspaceRow>,
  ): Promise<WorkspaceAnswer> {
    return this.#changes.run(call, async (change) => {
      const row = await lockWorkspace(change.tx, authorizedId(call, id));
      if (!row || row.deletedAt) throw new KeywardError('NOT_FOUND');
      requireMatch(call, etagOf(row));
      return answer(await work(change, row));
    });
  }
}

/** A bound management key sees its own workspace alone. */
function authorizedId(call: CallContext, id: string): string {
  return authorizedWorkspaceId(call, id);
}

function created(change: WriteContext, row: WorkspaceRow): WorkspaceAnswer {
  audit(change, 'created', row, { before: null, after: present(row) });
  return { ...answer(row), created: true };
}

/** Writes what differs and puts it on the record; nothing where nothing differs. */
async function updateIfChanged(
  change: WriteContext,
  what: string,
  row: WorkspaceRow,
  changes: WorkspaceChanges,
): Promise<WorkspaceRow> {
  if (!differs(row, changes)) return row;
  const updated = await updateWorkspace(change.tx, row.id, { ...changes, updatedAt: change.at });
  audit(change, what, row, pickChanged(present(row), present(updated)));
  return updated;
}

function audit(
  change: WriteContext,
  what: string,
  { id }: WorkspaceRow,
  difference: ReturnType<typeof pickChanged>,
): void {
  const target = { type: 'workspace' as const, id };
  change.audit({ workspaceId: id, action: `workspace.${what}`, target, ...difference });
}

function refuseReservedPrefix({ defaultPrefix }: WorkspaceInput): void {
  if (defaultPrefix !== MANAGEMENT_PREFIX) return;
  throw invalidField(
    '/body/defaultPrefix',
    `${MANAGEMENT_PREFIX} is the prefix of management keys`,
  );
}

function answer(row: WorkspaceRow): WorkspaceAnswer {
  return { body: present(row), etag: etagOf(row), created: false };
}

function present(row: WorkspaceRow) {
  const { revision, deletedAt, createdAt, updatedAt, ...fields } = row;
  return {
    ...fields,
    availableScopes: row.availableScopes?.map((scope) => ({ ...scope })) ?? null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
