import { createHash } from 'node:crypto';
import { desc, eq, inArray, sql } from 'drizzle-orm';
import type { Pepper } from '../credentials/pepper.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { auditEvents, auditHeads } from '../db/schema.ts';
import type { Actor } from '../domain/caller.ts';
import type { Json } from '../domain/json.ts';
import { newId } from '../domain/key-string.ts';

/** One changed thing. `before` and `after` hold what changed, never a secret. */
export interface AuditEntry {
  workspaceId: string;
  action: string;
  target: { type: 'key' | 'workspace' | 'management_key'; id: string };
  before: Json;
  after: Json;
}

/** The circumstances that all entries of one call share. */
export interface AuditOrigin {
  actor: Actor;
  requestId: string;
  /** Null where no call over the network asked for it. */
  ip: string | null;
}

/** A link of the chain: who knows it can tell whether the log up to it is still what it was. */
export interface Head {
  sequence: number;
  hash: string;
}

export const FIRST_HEAD: Head = { sequence: 0, hash: '0'.repeat(64) };

/**
 * Appends entries to the chain of their workspace. Meant as the last statements of a transaction:
 * the head row is locked from here to the commit, so writers wait for each other only that long.
 */
export async function appendAudit(
  tx: Transaction,
  entries: readonly AuditEntry[],
  origin: AuditOrigin,
  at: Date,
  pepper: Pepper | null,
): Promise<void> {
  if (entries.length === 0) return;
  const heads = await lockHeads(tx, [...new Set(entries.map((entry) => entry.workspaceId))].sort());
  const rows = entries.map((entry) => {
    const head = heads.get(entry.workspaceId) ?? FIRST_HEAD;
    const row = link(entry, origin, at, head, pepper);
    heads.set(entry.workspaceId, row);
    return row;
  });
  await tx.insert(auditEvents).values(rows);
  await moveHeads(tx, heads);
}

/** What is hashed is what is stored, so that a check needs nothing but the rows. */
export function chainHash(previous: string, payload: string, pepper: Pepper | null): string {
  const text = `${previous}\n${payload}`;
  return pepper ? pepper.auditHash(text) : createHash('sha256').update(text).digest('hex');
}

function link(
  entry: AuditEntry,
  { actor, requestId, ip }: AuditOrigin,
  at: Date,
  head: Head,
  pepper: Pepper | null,
) {
  const sequence = head.sequence + 1;
  const { workspaceId, action, target, before, after } = entry;
  const payload = JSON.stringify({
    id: newId('evt'),
    workspaceId,
    sequence,
    time: at.toISOString(),
    action,
    actor,
    target,
    before,
    after,
    requestId,
    ip,
  });
  const hash = chainHash(head.hash, payload, pepper);
  return { workspaceId, sequence, payload, hash, pepperId: pepper?.id ?? null };
}

/** In id order, so that changes of several workspaces cannot wait for each other in a circle. */
async function lockHeads(tx: Transaction, workspaceIds: string[]): Promise<Map<string, Head>> {
  await tx
    .insert(auditHeads)
    .values(workspaceIds.map((workspaceId) => ({ workspaceId, ...FIRST_HEAD })))
    .onConflictDoNothing();
  const heads = await tx
    .select()
    .from(auditHeads)
    .where(inArray(auditHeads.workspaceId, workspaceIds))
    .orderBy(sql`${auditHeads.workspaceId} collate "C"`)
    .for('update');
  return new Map(heads.map((head) => [head.workspaceId, head]));
}

async function moveHeads(tx: Transaction, heads: Map<string, Head>): Promise<void> {
  const rows = [...heads].map(([workspaceId, { sequence, hash }]) => ({
    workspaceId,
    sequence,
    hash,
  }));
  await tx
    .insert(auditHeads)
    .values(rows)
    .onConflictDoUpdate({
      target: auditHeads.workspaceId,
      set: { sequence: sql`excluded.sequence`, hash: sql`excluded.hash` },
    });
}

/** A log that KEYWARD_SECRET keys cannot be continued without one: anyone could have. */
export class UnkeyedLogError extends Error {
  override name = 'UnkeyedLogError';
}

/** For whoever appends by hand; the service itself goes on rather than to refuse every change. */
export async function requireKeyedAsBefore(
  orm: Orm,
  workspaceId: string,
  pepper: Pepper | null,
): Promise<void> {
  if (pepper) return;
  const [newest] = await orm
    .select({ pepperId: auditEvents.pepperId })
    .from(auditEvents)
    .where(eq(auditEvents.workspaceId, workspaceId))
    .orderBy(desc(auditEvents.sequence))
    .limit(1);
  if (!newest?.pepperId) return;
  throw new UnkeyedLogError(
    `The audit log of ${workspaceId} is keyed; set KEYWARD_SECRET as the service has it (its id is ${newest.pepperId}).`,
  );
}
