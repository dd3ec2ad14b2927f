import { authorizedWorkspaceId, type CallContext, listedWorkspaceId } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { toIso } from '../domain/time.ts';
import { KeywardError } from '../errors.ts';
import { badCursor, type CursorPosition } from '../http/cursor.ts';
import { readPage } from '../http/page.ts';
import { readInTime } from '../http/read-in-time.ts';
import {
  type AuditFilter,
  type EventPosition,
  findFirstSequence,
  hasLog,
  listAllAuditEvents,
  listAuditEvents,
  sizesOfAllAuditEvents,
  sizesOfAuditEvents,
} from './listing.ts';
import { presentEvent } from './presenter.ts';
import type { AuditEventPage, AuditHead, ListAuditEvents } from './schemas.ts';
import { readHead } from './store.ts';

/** Reads the audit logs. */
export class AuditService {
  readonly #orm: Orm;

  constructor(orm: Orm) {
    this.#orm = orm;
  }

  async list(call: CallContext, query: ListAuditEvents): Promise<AuditEventPage> {
    const workspaceId = listedWorkspaceId(call, query.workspaceId);
    const { rows, nextCursor } =
      workspaceId === null
        ? await this.#listAll(query)
        : await this.#listLog(workspaceId, call.caller.workspaceId !== null, query);
    const data = rows.map(presentEvent);
    return { data, nextCursor };
  }

  /** `isBound`: only what happened to the workspace of the present tenant. */
  async #listLog(workspaceId: string, isBound: boolean, query: ListAuditEvents) {
    await this.#requireLog(workspaceId);
    const from = isBound ? await findFirstSequence(this.#orm, workspaceId) : 0;
    const rangeBelow = (after: CursorPosition | null) => {
      return { workspaceId, from, below: sequenceOf(after), ownOnly: isBound };
    };
    return readPage(query, {
      name: 'audit-events',
      read: (after, count) =>
        readInTime(this.#orm, (tx) =>
          listAuditEvents(tx, rangeBelow(after), filterOf(query), count),
        ),
      measure: (after, count) =>
        readInTime(this.#orm, (tx) =>
          sizesOfAuditEvents(tx, rangeBelow(after), filterOf(query), count),
        ),
      positionOf: ({ position }) => ({ value: null, id: position }),
    });
  }

  #listAll(query: ListAuditEvents) {
    return readPage(query, {
      name: 'audit-events-of-all',
      read: (after, count) =>
        readInTime(this.#orm, (tx) =>
          listAllAuditEvents(tx, eventOf(after), filterOf(query), count),
        ),
      measure: (after, count) =>
        readInTime(this.#orm, (tx) =>
          sizesOfAllAuditEvents(tx, eventOf(after), filterOf(query), count),
        ),
      positionOf: ({ time, workspaceId, position }) => {
        return { value: time, id: `${workspaceId}:${position}` };
      },
    });
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

function filterOf(query: ListAuditEvents): AuditFilter {
  const { workspaceId: _, limit: _limit, cursor: _cursor, after, before, ...filter } = query;
  return {
    ...filter,
    ...(after && { after: toUtc(after) }),
    ...(before && { before: toUtc(before) }),
  };
}

/** Times are stored as text in UTC, so they are compared in that form. */
function toUtc(time: string): string {
  return toIso(Date.parse(time));
}

function sequenceOf(position: CursorPosition | null): string | null {
  return position && requireSequence(position.id);
}

function requireSequence(text: string): string {
  if (/^-?\d{1,19}$/.test(text)) return text;
  throw badCursor();
}

function eventOf(position: CursorPosition | null): EventPosition | null {
  if (position === null) return null;
  const [workspaceId = '', id = ''] = position.id.split(':');
  if (position.value === null) throw badCursor();
  return { time: position.value, workspaceId, sequence: requireSequence(id) };
}
