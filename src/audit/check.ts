import { and, asc, eq, gt, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { auditCheckpoints, auditEvents, auditHeads } from '../db/schema.ts';
import type { Head } from './chain.ts';
import { BrokenChain, type ChainCheckOptions, ChainWalk } from './chain-walk.ts';

const PAGE = 500;

export interface AuditCheckResult {
  workspaceId: string;
  /** Where the log is not what was written; null: intact. */
  problem: string | null;
  entries: number;
  /** The first entry that is there, and the last. */
  first: number;
  last: Head;
  keyedBy: string | null;
  notes: string[];
}

export type AuditCheckOptions = Omit<ChainCheckOptions, 'checkpoint'> & {
  /** Told after each page how many entries are done. */
  onProgress: (entries: number) => void;
};

/** Walks one log from its start to its head, page by page, all from one snapshot. */
export function checkLog(orm: Orm, terms: AuditCheckOptions): Promise<AuditCheckResult> {
  return orm.transaction((tx) => walk(tx, terms), {
    isolationLevel: 'repeatable read',
    accessMode: 'read only',
  });
}

async function walk(tx: Transaction, terms: AuditCheckOptions): Promise<AuditCheckResult> {
  const { workspaceId, onProgress } = terms;
  const checkpoint = await linkIn(tx, auditCheckpoints, workspaceId);
  const chain = new ChainWalk({ ...terms, checkpoint });
  const verdict = (problem: string | null, notes: string[]): AuditCheckResult => {
    const { entries, last, keyedBy } = chain;
    const first = (checkpoint?.sequence ?? 0) + 1;
    return { workspaceId, problem, entries, first, last, keyedBy, notes };
  };
  try {
    for await (const page of pages(tx, workspaceId)) {
      for (const row of page) chain.add(row);
      onProgress(chain.entries);
    }
    return verdict(null, chain.end(await linkIn(tx, auditHeads, workspaceId)));
  } catch (error) {
    if (!(error instanceof BrokenChain)) throw error;
    return verdict(error.message, []);
  }
}

async function* pages(tx: Transaction, workspaceId: string) {
  let after: number | undefined;
  for (;;) {
    const page = await tx
      .select({
        workspaceId: auditEvents.workspaceId,
        sequence: auditEvents.sequence,
        payload: auditEvents.payload,
        hash: auditEvents.hash,
        pepperId: auditEvents.pepperId,
      })
      .from(auditEvents)
      .where(
        and(
          eq(auditEvents.workspaceId, workspaceId),
          after === undefined ? undefined : gt(auditEvents.sequence, after),
        ),
      )
      .orderBy(asc(auditEvents.sequence))
      .limit(PAGE);
    yield page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.sequence;
  }
}

async function linkIn(
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

/** Every workspace of which any trace of a log is left; skips from one to the next in the index. */
export async function workspacesWithLog(orm: Orm): Promise<string[]> {
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
