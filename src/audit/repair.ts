import { sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import type { Pepper } from '../domain/pepper.ts';
import { appendAudit } from './append.ts';
import type { AuditOrigin, Head } from './chain.ts';
import { hasOpenBreak, lockLogs } from './store.ts';

/**
 * Puts the head of a log right, on the record: an entry says who did it and behind which entry the
 * log goes on. Also if a change has met the break before and continued the log. Null if nothing is
 * broken.
 */
export function repairLog(
  orm: Orm,
  workspaceId: string,
  origin: AuditOrigin,
  pepper: Pepper | null,
): Promise<Head | null> {
  return orm.transaction(async (tx) => {
    const log = (await lockLogs(tx, new Set([workspaceId]))).get(workspaceId);
    if (!log || (!log.strayHead && !(await hasOpenBreak(tx, workspaceId)))) return null;
    const { rows } = await tx.execute<{ ms: number }>(
      sql`select extract(epoch from clock_timestamp())::float8 * 1000 as ms`,
    );
    const target = { type: 'workspace' as const, id: workspaceId };
    const change = { before: log.strayHead && { ...log.strayHead }, after: { ...log.end } };
    const entry = { workspaceId, action: 'audit.repaired' as const, target, ...change };
    await appendAudit(tx, [entry], origin, new Date(rows[0]?.ms ?? 0), pepper);
    return log.end;
  });
}
