import { and, asc, desc, eq, gt, gte, inArray, lt, lte, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { insertRows } from '../db/insert-rows.ts';
import { auditCheckpoints, auditEvents, auditHeads, workspaces } from '../db/schema.ts';
import type { AuditAction } from './actions.ts';
import { type ChainRow, FIRST_HEAD, type Head } from './chain.ts';

const RETENTION_LOCK = 5_396_121;

/** Where a log goes on. */
export interface LogEnd {
  end: Head;
  /** What `audit_heads` says, if that is not the end. */
  strayHead: { sequence: number | string; hash: string } | null;
  /** The last entry that retention dropped; 0 if it dropped none. */
  keptAfter: number;
  /** How many entries behind that one the workspace may have; null: any number. */
  maxEvents: number | null;
}

/** Locks logs by id, so that changes of several workspaces never wait for each other in a circle. */
export async function lockLogs(
  tx: Transaction,
  workspaceIds: ReadonlySet<string>,
): Promise<Map<string, LogEnd>> {
  const { rows } = await tx.execute<LockedLogRow>(sql`
    select locked.*, cut.sequence as kept_after, w.max_audit_events as max_events
      from lock_audit_logs(${sql.param([...workspaceIds])}::text[]) locked
      left join ${auditCheckpoints} cut on cut.workspace_id = locked.log
      left join ${workspaces} w on w.id = locked.log`);
  return new Map(rows.map((row) => [row.log, toLogEnd(row)]));
}

interface LockedLogRow extends Record<string, unknown> {
  log: string;
  end_sequence: string;
  end_hash: string;
  head_sequence: string;
  head_hash: string;
  kept_after: string | null;
  max_events: number | null;
}

function toLogEnd(row: LockedLogRow): LogEnd {
  const end = { sequence: Number(row.end_sequence), hash: row.end_hash };
  const bounds = { keptAfter: Number(row.kept_after), maxEvents: row.max_events };
  if (row.head_sequence === row.end_sequence && row.head_hash === row.end_hash) {
    return { end, strayHead: null, ...bounds };
  }
  const sequence = Number(row.head_sequence);
  // Anyone can have written it: a number that JavaScript cannot hold stays a text.
  const shown = Number.isSafeInteger(sequence) ? sequence : row.head_sequence;
  return { end, strayHead: { sequence: shown, hash: row.head_hash }, ...bounds };
}

/** A trigger moves the heads. */
export async function insertEvents(tx: Transaction, rows: readonly ChainRow[]): Promise<void> {
  await tx.execute(insertRows(auditEvents, rows));
}

/** The newest link of a log and, by the database's clock, when it was read. */
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

export function findHead(tx: Transaction, workspaceId: string): Promise<Head | null> {
  return findLink(tx, auditHeads, workspaceId);
}

/** The last link that retention dropped from a log; null if the log is complete. */
export function findCheckpoint(tx: Transaction, workspaceId: string): Promise<Head | null> {
  return findLink(tx, auditCheckpoints, workspaceId);
}

async function findLink(
  tx: Transaction,
  table: typeof auditHeads | typeof auditCheckpoints,
  workspaceId: string,
): Promise<Head | null> {
  const [link] = await tx
    .select({ sequence: table.sequence, hash: table.hash })
    .from(table)
    .where(eq(table.workspaceId, workspaceId));
  return link ?? null;
}

/** Names the KEYWARD_SECRET of the newest entry; null if it is not keyed, or there is none. */
export async function findNewestPepperId(orm: Orm, workspaceId: string): Promise<string | null> {
  const [newest] = await orm
    .select({ pepperId: auditEvents.pepperId })
    .from(auditEvents)
    .where(eq(auditEvents.workspaceId, workspaceId))
    .orderBy(desc(auditEvents.sequence))
    .limit(1);
  return newest?.pepperId ?? null;
}

/** Whether the newest break that the log records was not answered by a repair. */
export async function hasOpenBreak(tx: Transaction, workspaceId: string): Promise<boolean> {
  const [newest] = await tx
    .select({ action: auditEvents.action })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.workspaceId, workspaceId),
        inArray(auditEvents.action, ['audit.break', 'audit.repaired'] satisfies AuditAction[]),
      ),
    )
    .orderBy(desc(auditEvents.sequence))
    .limit(1);
  return newest?.action === ('audit.break' satisfies AuditAction);
}

/** All entries of a log in order, page by page. */
export async function* eventPages(
  tx: Transaction,
  workspaceId: string,
  pageSize: number,
): AsyncGenerator<ChainRow[]> {
  const { sequence, payload, hash, pepperId } = auditEvents;
  const columns = { workspaceId: auditEvents.workspaceId, sequence, payload, hash, pepperId };
  const ofLog = eq(auditEvents.workspaceId, workspaceId);
  let last: number | undefined;
  for (;;) {
    const page = await tx
      .select(columns)
      .from(auditEvents)
      .where(last === undefined ? ofLog : and(ofLog, gt(sequence, last)))
      .orderBy(asc(sequence))
      .limit(pageSize);
    yield page;
    if (page.length < pageSize) return;
    last = page.at(-1)?.sequence;
  }
}

/**
 * Every workspace of which any trace of a log is left, whether or not it still exists. Skips from
 * one to the next in the index.
 */
export async function listLogs(orm: Orm): Promise<string[]> {
  const { rows } = await orm.execute<{ id: string }>(sql`
    with recursive logged as (
      (select workspace_id as id from audit_events order by workspace_id limit 1)
      union all
      select (select min(workspace_id) from audit_events where workspace_id > logged.id)
        from logged where logged.id is not null)
    select id from (
      select id from logged where id is not null
      union select workspace_id from audit_heads
      union select workspace_id from audit_checkpoints) as known
     order by id`);
  return rows.map(({ id }) => id);
}

/** Lets this transaction delete entries, which a trigger refuses otherwise, one at a time. */
export async function beginRetention(tx: Transaction): Promise<void> {
  await tx.execute(sql`
    select pg_advisory_xact_lock(${RETENTION_LOCK}),
           set_config('keyward.audit_retention', 'on', true)`);
}

/** The last entry of the front of a log that is older than a time; never the log's head. */
export async function findLastBefore(
  tx: Transaction,
  workspaceId: string,
  before: Date,
): Promise<Head | null> {
  const ofLog = eq(auditEvents.workspaceId, workspaceId);
  const [kept] = await tx
    .select({ sequence: auditEvents.sequence })
    .from(auditEvents)
    .where(and(ofLog, gte(auditEvents.time, before.toISOString())))
    .orderBy(asc(auditEvents.sequence))
    .limit(1);
  const end = kept ?? (await findHead(tx, workspaceId));
  if (!end) return null;
  const [link] = await tx
    .select({ sequence: auditEvents.sequence, hash: auditEvents.hash })
    .from(auditEvents)
    .where(and(ofLog, lt(auditEvents.sequence, end.sequence)))
    .orderBy(desc(auditEvents.sequence))
    .limit(1);
  return link ?? null;
}

/** Returns how many entries were deleted. */
export async function deleteEventsThrough(
  tx: Transaction,
  workspaceId: string,
  sequence: number,
): Promise<number> {
  const { rowCount } = await tx
    .delete(auditEvents)
    .where(and(eq(auditEvents.workspaceId, workspaceId), lte(auditEvents.sequence, sequence)));
  return rowCount ?? 0;
}

/** Returns when, by the database's clock. */
export async function moveCheckpoint(
  tx: Transaction,
  workspaceId: string,
  to: Head,
): Promise<Date> {
  const cutAt = sql`clock_timestamp()`;
  const [moved] = await tx
    .insert(auditCheckpoints)
    .values({ workspaceId, ...to, cutAt })
    .onConflictDoUpdate({ target: auditCheckpoints.workspaceId, set: { ...to, cutAt } })
    .returning({ cutAt: auditCheckpoints.cutAt });
  if (!moved) throw new Error('an upsert returns its row');
  return moved.cutAt;
}
