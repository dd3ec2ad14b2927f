import { authorizedWorkspaceId, type CallContext } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { badCursor, decodeCursor, encodeCursor } from '../http/cursor.ts';
import type { AuditEventPage, AuditHead, ListAuditEvents } from './schemas.ts';
import { listAuditEvents, readHead } from './store.ts';

const LIST = 'audit-events';

/** Reads the record of changes. */
export class AuditService {
  readonly #orm: Orm;

  constructor(orm: Orm) {
    this.#orm = orm;
  }

  async list(call: CallContext, query: ListAuditEvents): Promise<AuditEventPage> {
    const { workspaceId, limit, cursor, after, before, ...filter } = query;
    const found = await listAuditEvents(
      this.#orm,
      authorizedWorkspaceId(call, workspaceId),
      { ...filter, ...utc('after', after), ...utc('before', before) },
      cursor === undefined ? null : sequenceIn(cursor),
      limit + 1,
    );
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return {
      data: page.map(({ payload, hash }) => ({ ...JSON.parse(payload), hash })),
      nextCursor: last ? encodeCursor(LIST, { value: null, id: String(last.sequence) }) : null,
    };
  }

  async head(call: CallContext, query: { workspaceId?: string }): Promise<AuditHead> {
    const workspaceId = authorizedWorkspaceId(call, query.workspaceId);
    const { head, time } = await readHead(this.#orm, workspaceId);
    return { workspaceId, ...head, time: time.toISOString() };
  }
}

/** Times are stored as text in UTC, so they are compared in that form. */
function utc<Name extends string>(name: Name, time: string | undefined) {
  return time === undefined ? {} : { [name]: new Date(time).toISOString() };
}

function sequenceIn(cursor: string): number {
  const sequence = Number(decodeCursor(LIST, cursor).id);
  if (!Number.isSafeInteger(sequence)) throw badCursor();
  return sequence;
}
