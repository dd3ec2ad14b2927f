import { type CallContext, listedWorkspaceId } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import type { Caller } from '../domain/caller.ts';
import { toIso } from '../domain/time.ts';
import { KeywardError, noWorkspace } from '../errors.ts';
import { listName, readPage } from '../http/page.ts';
import { readInTime } from '../http/read-in-time.ts';
import type { CallResult } from '../http/reply.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import { workspaceExisted } from '../workspaces/store.ts';
import { type AlertFilter, findAlert, listAlerts, type Scope } from './listing.ts';
import { presentAlert } from './presenter.ts';
import type { AcknowledgeAlert, Alert, AlertPage, ListAlerts } from './schemas.ts';
import { type AlertRow, acknowledgeAlert, endAlerts, lockAlert } from './store.ts';

/** What is known to be over only by someone who says so. */
const ENDS_BY_ACKNOWLEDGEMENT: ReadonlySet<string> = new Set(['key_leaked']);

/** Shows alerts, and takes note of who has seen them. */
export class AlertService {
  readonly #orm: Orm;
  readonly #unitOfWork: UnitOfWork;

  constructor(orm: Orm, unitOfWork: UnitOfWork) {
    this.#orm = orm;
    this.#unitOfWork = unitOfWork;
  }

  async list(call: CallContext, query: ListAlerts): Promise<AlertPage> {
    const orm = this.#orm;
    const workspaceId = listedWorkspaceId(call, query.workspaceId);
    if (workspaceId !== null && !(await workspaceExisted(orm, workspaceId))) {
      throw noWorkspace(workspaceId);
    }
    const ownOnly = call.caller.workspaceId !== null;
    const scope = workspaceId === null ? null : { workspaceId, ownOnly };
    const { rows, nextCursor } = await readPage(query, {
      name: listName('alerts', query),
      read: (after, limit) =>
        readInTime(orm, (tx) => listAlerts(tx, scope, filterOf(query), after, limit)),
      positionOf: ({ openedAt, id }) => ({ value: toIso(openedAt), id }),
    });
    return { data: rows.map(presentAlert), nextCursor };
  }

  async get({ caller }: CallContext, id: string): Promise<Alert> {
    const row = await findAlert(this.#orm, id, scopeOf(caller));
    if (!row) throw new KeywardError('NOT_FOUND');
    return presentAlert(row);
  }

  acknowledge(
    call: CallContext,
    id: string,
    { note }: AcknowledgeAlert,
  ): Promise<CallResult<Alert>> {
    return this.#unitOfWork.run(call, async (write) => {
      const isShown = (await findAlert(write.tx, id, scopeOf(call.caller))) !== null;
      const row = isShown ? await lockAlert(write.tx, id) : null;
      if (!row) throw new KeywardError('NOT_FOUND');
      if (row.acknowledgedAt) return { body: presentAlert(row) };
      const acknowledged = await acknowledgeAlert(write, id, call.actor, note ?? null);
      auditAcknowledgement(write, row, note);
      if (!ENDS_BY_ACKNOWLEDGEMENT.has(row.type)) return { body: presentAlert(acknowledged) };
      await endAlerts(write, [id]);
      return { body: presentAlert({ ...acknowledged, endedAt: row.endedAt ?? write.at }) };
    });
  }
}

function auditAcknowledgement(write: WriteContext, row: AlertRow, note: string | undefined): void {
  const { id, workspaceId, type, targetType, targetId } = row;
  const target = { type: targetType, id: targetId };
  const after = { alertId: id, type, ...(note !== undefined && { note }) };
  write.audit({ workspaceId, action: 'alert.acknowledged', target, before: null, after });
}

function scopeOf({ workspaceId }: Caller): Scope {
  return workspaceId === null ? null : { workspaceId, ownOnly: true };
}

function filterOf({ type, targetId, state, acknowledged }: ListAlerts): AlertFilter {
  return {
    ...(type !== undefined && { type }),
    ...(targetId !== undefined && { targetId }),
    ...(state !== undefined && { state }),
    ...(acknowledged !== undefined && { acknowledged }),
  };
}
