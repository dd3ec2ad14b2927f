import { and, desc, eq, isNull, ne, not, type SQL, sql } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { nextRevision } from '../db/revision.ts';
import { webhooks } from '../db/schema.ts';
import type { Actor } from '../domain/caller.ts';
import type { CursorPosition } from '../http/cursor.ts';

export type WebhookRow = typeof webhooks.$inferSelect;

/** The workspace of the webhooks that are meant; null: all of them. */
export type Scope = string | null;

/** The row through which the audit logs go to stdout, which is no webhook of anyone. */
export const STDOUT = 'stdout';
const STDOUT_MAKER: Actor = { type: 'system', id: STDOUT, onBehalfOf: null };
const ENDED = { enabled: false, signingSecret: null, previousSecret: null };

export async function findWebhook(
  db: Orm | Transaction,
  id: string,
  scope: Scope,
): Promise<WebhookRow | null> {
  const [row] = await db
    .select()
    .from(webhooks)
    .where(and(eq(webhooks.id, id), within(scope)));
  return row ?? null;
}

/** The row, locked until the transaction ends. */
export async function lockWebhook(
  tx: Transaction,
  id: string,
  scope: Scope,
): Promise<WebhookRow | null> {
  const [row] = await tx
    .select()
    .from(webhooks)
    .where(and(eq(webhooks.id, id), within(scope)))
    .for('no key update');
  return row ?? null;
}

/** Newest first, after the last row of the page before. */
export function listWebhooks(
  orm: Orm,
  scope: Scope,
  after: CursorPosition | null,
  limit: number,
): Promise<WebhookRow[]> {
  const isAfter =
    after &&
    sql`(${webhooks.createdAt}, ${webhooks.id}) < (${after.value}::timestamptz, ${after.id})`;
  return orm
    .select()
    .from(webhooks)
    .where(and(within(scope), isAfter ?? undefined))
    .orderBy(desc(webhooks.createdAt), desc(webhooks.id))
    .limit(limit);
}

/** Of one workspace, or of those for all. */
export function countWebhooks(tx: Transaction, workspaceId: string | null): Promise<number> {
  const isBoundSo =
    workspaceId === null ? isNull(webhooks.workspaceId) : eq(webhooks.workspaceId, workspaceId);
  return tx.$count(webhooks, and(isBoundSo, within(null)));
}

export async function insertWebhook(
  tx: Transaction,
  values: typeof webhooks.$inferInsert,
): Promise<WebhookRow> {
  const [row] = await tx.insert(webhooks).values(values).returning();
  if (!row) throw new Error('an insert returns its row');
  return row;
}

/** Writes the changed fields of a locked webhook and counts the change. */
export async function updateWebhook(
  tx: Transaction,
  id: string,
  changes: Partial<WebhookRow>,
): Promise<WebhookRow> {
  const [row] = await tx
    .update(webhooks)
    .set({ ...changes, revision: nextRevision(webhooks.revision) })
    .where(eq(webhooks.id, id))
    .returning();
  if (!row) throw new Error('a locked row can be updated');
  return row;
}

/** From here on entries wait for stdout, or do not. */
export async function switchStdoutExport(orm: Orm, isOn: boolean, at: Date): Promise<void> {
  if (!isOn) {
    const isEnabled = and(eq(webhooks.id, STDOUT), webhooks.enabled);
    await orm.update(webhooks).set({ enabled: false }).where(isEnabled);
    return;
  }
  const made = { createdAt: at, createdBy: STDOUT_MAKER, updatedAt: at };
  await orm
    .insert(webhooks)
    .values({ id: STDOUT, url: 'stdout:', format: 'event', ...made })
    .onConflictDoUpdate({
      target: webhooks.id,
      set: { enabled: true, failingSince: null, updatedAt: at },
      setWhere: not(webhooks.enabled),
    });
}

/** Ends a locked webhook: nothing is queued for it any more. */
export async function deleteWebhook(tx: Transaction, id: string, at: Date): Promise<void> {
  await updateWebhook(tx, id, { ...ENDED, deletedAt: at, updatedAt: at });
}

/** Ends all webhooks of a deleted workspace. Returns how many. */
export async function deleteWebhooksOfWorkspace(
  tx: Transaction,
  workspaceId: string,
  at: Date,
): Promise<number> {
  const { rowCount } = await tx
    .update(webhooks)
    .set({ ...ENDED, deletedAt: at, updatedAt: at })
    .where(and(eq(webhooks.workspaceId, workspaceId), isNull(webhooks.deletedAt)));
  return rowCount ?? 0;
}

function within(scope: Scope): SQL | undefined {
  const isOfScope = scope === null ? undefined : eq(webhooks.workspaceId, scope);
  return and(isNull(webhooks.deletedAt), ne(webhooks.id, STDOUT), isOfScope);
}
