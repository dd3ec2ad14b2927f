import { authorizedWorkspaceId, type CallContext } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { badCursor, decodeCursor, encodeCursor } from '../http/cursor.ts';
import { toPage } from '../http/page.ts';
import { listAuditEvents } from './listing.ts';
import type { AuditEventPage, AuditHead, ListAuditEvents } from './schemas.ts';
import { readHead } from './store.ts';

const LIST = 'audit-events';

/** Reads the audit logs. */
export class AuditService {
  readonly #orm: Orm;

  constructor(orm: Orm) {
    this.#orm = orm;
  }

  async list(call: CallContext, query: ListAuditEvents): Promise<AuditEventPage> {
    const { workspaceId, limit, cursor, after, before, ...filter } = query;
    const rows = await listAuditEvents(
      this.#orm,
      authorizedWorkspaceId(call, workspaceId),
      { ...filter, ...utc('after', after), ...utc('before', before) },
      cursor === undefined ? null : decodeSequence(cursor),
      limit + 1,
    );
    return toPage(
      rows,
      limit,
      ({ payload, hash }) => ({ ...JSON.parse(payload), hash }),
      ({ sequence }) => encodeCursor(LIST, { value: null, id: String(sequence) }),
    );
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

function decodeSequence(cursor: string): number {
  const sequence = Number(decodeCursor(LIST, cursor).id);
  if (!Number.isSafeInteger(sequence)) throw badCursor();
  return sequence;
}
