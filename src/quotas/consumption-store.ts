import { eq, sql } from 'drizzle-orm';
import type { Transaction } from '../db/database.ts';
import { keyConsumption, type keys } from '../db/schema.ts';
import { balanceAt, refilledAt, toRefill } from '../domain/refill.ts';
import { LAST_INSTANT } from '../domain/time.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';

export type ConsumptionRow = typeof keyConsumption.$inferSelect;

/** What a key may consume. */
export type QuotaSettings = Pick<
  typeof keys.$inferSelect,
  'id' | 'limitNames' | 'creditsLimited' | 'refillInterval' | 'refillAmount' | 'refillDay'
>;

/** The balance that is requested; left out: the current one stays. */
export interface RequestedCredits {
  remaining?: number;
}

/** Whether verifications of the key consume anything. */
export function hasQuota(key: Pick<QuotaSettings, 'limitNames' | 'creditsLimited'>): boolean {
  return key.creditsLimited || key.limitNames.length > 0;
}

/**
 * Inserts the row that verifications spend from, orders its windows as the key's limits are, and
 * starts the balance if credits are requested. `previous` is the key before a change. Returns whether
 * the balance is another now.
 */
export async function ensureQuotaRow(
  write: WriteContext,
  key: QuotaSettings,
  credits: RequestedCredits | null | undefined,
  previous: QuotaSettings | null = null,
): Promise<boolean> {
  if (!hasQuota(key)) return false;
  const { tx, at } = write;
  await tx.insert(keyConsumption).values({ keyId: key.id }).onConflictDoNothing();
  await tx.execute(sql`select align_consumption(${key.id}, ${at.getTime()})`);
  return credits ? startBalance(write, key.id, credits, previous) : false;
}

/** A balance that is kept is the one that is shown: with the refill due by the settings so far. */
async function startBalance(
  { tx, at }: WriteContext,
  keyId: string,
  { remaining }: RequestedCredits,
  previous: QuotaSettings | null,
): Promise<boolean> {
  const row = await lockQuotaRow(tx, keyId);
  const now = latestTime(row, at.getTime());
  const current = previous ? balanceAt(toRefill(previous), row, now) : 0;
  await setBalance(tx, keyId, remaining ?? current, Math.max(now, refilledAt(null, row, now)));
  return !previous?.creditsLimited || (remaining ?? current) !== current;
}

/** Changes the balance of a key, refills included. Returns both balances. */
export async function changeBalance(
  { tx, at }: WriteContext,
  key: QuotaSettings,
  change: (before: number) => number,
): Promise<{ before: number; after: number }> {
  const row = await lockQuotaRow(tx, key.id);
  const refill = toRefill(key);
  const now = latestTime(row, at.getTime());
  const before = balanceAt(refill, row, now);
  const after = change(before);
  await setBalance(tx, key.id, after, refilledAt(refill, row, now));
  return { before, after };
}

/** For one key, time never runs backwards. */
export function latestTime(row: ConsumptionRow | null, now: number): number {
  return Math.max(now, Math.min(row?.lastMs ?? 0, LAST_INSTANT.getTime()));
}

async function lockQuotaRow(tx: Transaction, keyId: string): Promise<ConsumptionRow> {
  const [row] = await tx
    .select()
    .from(keyConsumption)
    .where(eq(keyConsumption.keyId, keyId))
    .for('update');
  if (!row) throw new Error('a key with limited credits has a row to spend from');
  return row;
}

async function setBalance(
  tx: Transaction,
  keyId: string,
  credits: number,
  refilledMs: number,
): Promise<void> {
  await tx
    .update(keyConsumption)
    .set({ credits, refilledMs })
    .where(eq(keyConsumption.keyId, keyId));
}
