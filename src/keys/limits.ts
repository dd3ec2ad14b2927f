import { eq, sql } from 'drizzle-orm';
import type { Transaction } from '../db/database.ts';
import { keyConsumption } from '../db/schema.ts';
import { type RateLimit, rateLimitStatus, SLICES, toRateLimits } from '../domain/limits.ts';
import { lastRefill, nextRefill, type Refill } from '../domain/refill.ts';
import { invalidField, KeywardError } from '../errors.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import type { Credits } from './schemas/fields.ts';
import type { ChangeCredits } from './schemas/requests.ts';
import type { KeyChanges, KeyRow } from './store.ts';

/** The first version of the rules that knows limits: an older instance must not judge such a key. */
const RULES_WITH_LIMITS = 2;

export type ConsumptionRow = typeof keyConsumption.$inferSelect;

interface LimitInput {
  rateLimits?: readonly RateLimit[] | undefined;
  credits?: Credits | null | undefined;
}

/** The columns for the wished limits and credits, where any are wished. */
export function toLimitColumns(key: KeyRow | null, input: LimitInput): KeyChanges {
  const columns = {
    ...(input.rateLimits && rateLimitColumns(input.rateLimits)),
    ...(input.credits !== undefined && creditColumns(key, input.credits)),
  };
  const limited = { ...key, ...columns };
  const hasLimits = limited.creditsLimited || (limited.limitNames?.length ?? 0) > 0;
  return hasLimits ? { ...columns, minPolicyVersion: RULES_WITH_LIMITS } : columns;
}

function rateLimitColumns(limits: readonly RateLimit[]): KeyChanges {
  const names = limits.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice !== -1) throw invalidField(`/body/rateLimits/${twice}/name`, 'is given twice');
  return {
    limitNames: names,
    limitUnits: limits.map(({ limit }) => limit),
    limitWindows: limits.map(({ windowSeconds }) => windowSeconds),
  };
}

function creditColumns(key: KeyRow | null, credits: Credits | null): KeyChanges {
  const none = { refillInterval: null, refillAmount: null, refillDay: null };
  if (credits === null) return { creditsLimited: false, ...none };
  if (credits.remaining === undefined && !key?.creditsLimited) {
    throw invalidField('/body/credits/remaining', 'is required: the credits are not limited yet');
  }
  const { refill } = credits;
  if (!refill) return { creditsLimited: true, ...none };
  if (refill.interval === 'daily' && refill.dayOfMonth !== undefined) {
    throw invalidField('/body/credits/refill/dayOfMonth', 'goes with monthly refills alone');
  }
  return {
    creditsLimited: true,
    refillInterval: refill.interval,
    refillAmount: refill.amount,
    refillDay: refill.interval === 'monthly' ? (refill.dayOfMonth ?? 1) : null,
  };
}

/**
 * Makes the row that verifications spend from, puts its windows into the order of the limits, and
 * sets the balance where it is wished. `previous` is the key before the change.
 */
export async function ensureQuotaRow(
  { tx, at }: WriteContext,
  key: KeyRow,
  credits: Credits | null | undefined,
  previous: KeyRow | null = null,
): Promise<void> {
  const limited = key.creditsLimited || key.limitNames.length > 0;
  if (!limited) return;
  await tx.insert(keyConsumption).values({ keyId: key.id }).onConflictDoNothing();
  await tx.execute(sql`select align_consumption(${key.id}, ${at.getTime()})`);
  if (!credits) return;
  const row = await lockQuotaRow(tx, key.id);
  const now = Math.max(at.getTime(), row.lastMs);
  // A balance that is kept is the one that is shown: with the refill that was due before.
  const kept = previous ? balanceAt(previous, row, now) : 0;
  await tx
    .update(keyConsumption)
    .set({ credits: credits.remaining ?? kept, refilledMs: Math.max(now, row.refilledMs) })
    .where(eq(keyConsumption.keyId, key.id));
}

/** Changes the balance of a locked key, after a refill that is due. Returns both balances. */
export async function changeCredits(
  { tx, at }: WriteContext,
  key: KeyRow,
  { operation, amount }: ChangeCredits,
): Promise<{ before: number; after: number }> {
  if (!key.creditsLimited) throw new KeywardError('CREDITS_UNLIMITED');
  const row = await lockQuotaRow(tx, key.id);
  const now = Math.max(at.getTime(), row.lastMs);
  const before = balanceAt(key, row, now);
  const after = { add: before + amount, subtract: Math.max(0, before - amount), set: amount }[
    operation
  ];
  if (!Number.isSafeInteger(after))
    throw invalidField('/body/amount', 'makes the balance too large');
  await tx
    .update(keyConsumption)
    .set({ credits: after, refilledMs: refilledAt(key, row, now) })
    .where(eq(keyConsumption.keyId, key.id));
  return { before, after };
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

/** How the limits of a key stand, as lists and reads show them. */
export function presentLimits(key: KeyRow, row: ConsumptionRow | null, now: number) {
  const limits = toRateLimits(key.limitNames, key.limitUnits, key.limitWindows);
  return limits.map((limit) => {
    const { resetAt, ...shown } = rateLimitStatus(limit, windowOf(row, limit), timeOf(row, now));
    return { ...shown, resetAt: resetAt === null ? null : new Date(resetAt).toISOString() };
  });
}

export function presentCredits(key: KeyRow, row: ConsumptionRow | null, now: number) {
  if (!key.creditsLimited) return null;
  const refill = refillOf(key);
  return {
    remaining: row ? balanceAt(key, row, timeOf(row, now)) : 0,
    refill: refill && { ...refill, nextAt: new Date(nextRefill(refill, now)).toISOString() },
  };
}

/** For a key time never runs backwards. */
function timeOf(row: ConsumptionRow | null, now: number): number {
  return Math.max(now, row?.lastMs ?? 0);
}

function windowOf(row: ConsumptionRow | null, { name, windowSeconds }: RateLimit) {
  const place = row?.names.indexOf(name) ?? -1;
  if (!row || place === -1 || row.windows[place] !== windowSeconds) return null;
  const counts = row.counts.slice(SLICES * place, SLICES * (place + 1));
  return { newestSlice: row.slices[place] ?? 0, counts };
}

function balanceAt(key: KeyRow, row: ConsumptionRow, now: number): number {
  const isDue = refilledAt(key, row, now) > row.refilledMs;
  return isDue ? (key.refillAmount ?? 0) : (row.credits ?? 0);
}

function refilledAt(key: KeyRow, row: ConsumptionRow, now: number): number {
  const refill = refillOf(key);
  return refill ? Math.max(row.refilledMs, lastRefill(refill, Math.floor(now))) : row.refilledMs;
}

function refillOf(key: KeyRow): Refill | null {
  const { refillInterval, refillAmount, refillDay } = key;
  if (refillInterval === null) return null;
  return { interval: refillInterval, amount: refillAmount ?? 0, dayOfMonth: refillDay };
}
