import { and, asc, desc, eq, gte, lt, lte, sql } from 'drizzle-orm';
import type { Pepper } from '../credentials/pepper.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { auditCheckpoints, auditEvents, auditHeads } from '../db/schema.ts';
import { type AuditOrigin, appendAudit, type Head } from './chain.ts';

const LOCK = 5_396_121;

export interface Cut {
  dropped: number;
  /** The last link that was dropped. */
  checkpoint: Head;
}

/**
 * Drops the entries before a time, as far as they are the front of the log, and never its head.
 * The checkpoint and an entry of what was done commit with it. Null where there is nothing to drop.
 */
export function pruneLog(
  orm: Orm,
  workspaceId: string,
  before: Date,
  origin: AuditOrigin,
  pepper: Pepper | null,
): Promise<Cut | null> {
  return orm.transaction(async (tx) => {
    await tx.execute(
      sql`select pg_advisory_xact_lock(${LOCK}), set_config('keyward.audit_retention', 'on', true)`,
    );
    const checkpoint = await lastBefore(tx, workspaceId, before);
    if (!checkpoint) return null;
    const dropped = await dropUpTo(tx, workspaceId, checkpoint.sequence);
    const { cutAt, earlier } = await moveCheckpoint(tx, workspaceId, checkpoint);
    const after = { before: before.toISOString(), dropped, ...checkpoint };
    const target = { type: 'workspace', id: workspaceId } as const;
    const entry = { workspaceId, action: 'audit.pruned', target, before: earlier, after };
    await appendAudit(tx, [entry], origin, cutAt, pepper);
    return { dropped, checkpoint };
  });
}

/** The end of the prefix that is all from before the time. */
async function lastBefore(
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
  const [head] = await tx.select().from(auditHeads).where(eq(auditHeads.workspaceId, workspaceId));
  const end = kept?.sequence ?? head?.sequence;
  if (end === undefined) return null;
  const [link] = await tx
    .select({ sequence: auditEvents.sequence, hash: auditEvents.hash })
    .from(auditEvents)
    .where(and(ofLog, lt(auditEvents.sequence, end)))
    .orderBy(desc(auditEvents.sequence))
    .limit(1);
  return link ?? null;
}

async function dropUpTo(tx: Transaction, workspaceId: string, sequence: number): Promise<number> {
  const { rowCount } = await tx
    .delete(auditEvents)
    .where(and(eq(auditEvents.workspaceId, workspaceId), lte(auditEvents.sequence, sequence)));
  return rowCount ?? 0;
}

async function moveCheckpoint(tx: Transaction, workspaceId: string, to: Head) {
  const [earlier] = await tx
    .select({ sequence: auditCheckpoints.sequence, hash: auditCheckpoints.hash })
    .from(auditCheckpoints)
    .where(eq(auditCheckpoints.workspaceId, workspaceId));
  const cutAt = sql`clock_timestamp()`;
  const [moved] = await tx
    .insert(auditCheckpoints)
    .values({ workspaceId, ...to, cutAt })
    .onConflictDoUpdate({ target: auditCheckpoints.workspaceId, set: { ...to, cutAt } })
    .returning({ cutAt: auditCheckpoints.cutAt });
  if (!moved) throw new Error('a checkpoint that was just written has a time');
  return { cutAt: moved.cutAt, earlier: earlier ? { ...earlier } : null };
}
