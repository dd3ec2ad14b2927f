import { and, desc, eq, gte, lt, sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { auditEvents, auditHeads } from '../db/schema.ts';
import { FIRST_HEAD, type Head } from './chain.ts';

export interface AuditFilter {
  action?: string;
  actorId?: string;
  onBehalfOf?: string;
  targetId?: string;
  after?: string;
  before?: string;
}

/** Newest first, below the given sequence number. */
export async function listAuditEvents(
  orm: Orm,
  workspaceId: string,
  filter: AuditFilter,
  below: number | null,
  limit: number,
) {
  const is = (column: Parameters<typeof eq>[0], value: string | undefined) =>
    value === undefined ? undefined : eq(column, value);
  return orm
    .select({
      sequence: auditEvents.sequence,
      payload: auditEvents.payload,
      hash: auditEvents.hash,
    })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.workspaceId, workspaceId),
        is(auditEvents.action, filter.action),
        is(auditEvents.actorId, filter.actorId),
        is(auditEvents.onBehalfOf, filter.onBehalfOf),
        is(auditEvents.targetId, filter.targetId),
        filter.after === undefined ? undefined : gte(auditEvents.time, filter.after),
        filter.before === undefined ? undefined : lt(auditEvents.time, filter.before),
        below === null ? undefined : lt(auditEvents.sequence, below),
      ),
    )
    .orderBy(desc(auditEvents.sequence))
    .limit(limit);
}

/** The end of a workspace's log and, by the database's clock, when it was read. */
export async function readHead(orm: Orm, workspaceId: string): Promise<{ head: Head; time: Date }> {
  const { rows } = await orm.execute<{ ms: number; sequence: string | null; hash: string | null }>(
    sql`select extract(epoch from clock_timestamp())::float8 * 1000 as ms,
               ${auditHeads.sequence}, ${auditHeads.hash}
          from (select) as always
          left join ${auditHeads} on ${auditHeads.workspaceId} = ${workspaceId}`,
  );
  const [row] = rows;
  if (!row) throw new Error('the read of a head always has a row');
  const { ms, sequence, hash } = row;
  const isEmpty = sequence === null || hash === null;
  return { head: isEmpty ? FIRST_HEAD : { sequence: Number(sequence), hash }, time: new Date(ms) };
}
