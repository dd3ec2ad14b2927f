import { authorizedWorkspaceId, type CallContext } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { toIso } from '../domain/time.ts';
import { KeywardError } from '../errors.ts';
import { badCursor, type CursorPosition } from '../http/cursor.ts';
import { readPage } from '../http/page.ts';
import { hasLog, listAuditEvents } from './listing.ts';
import type { AuditEventPage, AuditHead, ListAuditEvents } from './schemas.ts';
import { readHead } from './store.ts';

/** Reads the audit logs. */
export class AuditService {
  readonly #orm: Orm;

  constructor(orm: Orm) {
    this.#orm = orm;
  }

  async list(call: CallContext, query: ListAuditEvents): Promise<AuditEventPage> {
    const { workspaceId: requested, limit, cursor, ...filter } = query;
    const workspaceId = authorizedWorkspaceId(call, requested);
    await this.#requireLog(workspaceId);
    const { after, before } = filter;
    const times = {
      ...(after && { after: toUtc(after) }),
      ...(before && { before: toUtc(before) }),
    };
    const { rows, nextCursor } = await readPage(query, {
      name: 'audit-events',
      read: (from, count) =>
        listAuditEvents(this.#orm, workspaceId, { ...filter, ...times }, sequenceOf(from), count),
      positionOf: ({ sequence }) => ({ value: null, id: String(sequence) }),
    });
    const data = rows.map(({ payload, hash }) => ({ ...JSON.parse(payload), hash }));
    return { data, nextCursor };
  }

  async head(call: CallContext, query: { workspaceId?: string }): Promise<AuditHead> {
    const workspaceId = authorizedWorkspaceId(call, query.workspaceId);
    await this.#requireLog(workspaceId);
    const { head, time } = await readHead(this.#orm, workspaceId);
    return { workspaceId, ...head, time: toIso(time) };
  }

  async #requireLog(workspaceId: string): Promise<void> {
    if (await hasLog(this.#orm, workspaceId)) return;
    throw new KeywardError('NOT_FOUND', `There is and was no workspace ${workspaceId}.`);
  }
}

/** Times are stored as text in UTC, so they are compared in that form. */
function toUtc(time: string): string {
  return toIso(Date.parse(time));
}

function sequenceOf(position: CursorPosition | null): number | null {
  if (position === null) return null;
  const sequence = Number(position.id);
  if (!Number.isSafeInteger(sequence)) throw badCursor();
  return sequence;
}
