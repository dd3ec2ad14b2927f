import { LAST_INSTANT } from './time.ts';

/** The largest balance of credits, however it comes about. */
export const MAX_CREDITS = 1_000_000_000_000;

/** Sets a balance of credits to its amount, daily or monthly at 00:00 UTC. */
export interface Refill {
  interval: 'daily' | 'monthly';
  amount: number;
  /** For monthly refills; in a shorter month, its last day. */
  dayOfMonth: number | null;
}

/** A refill as it is stored: all null without one. */
export interface RefillColumns {
  refillInterval: Refill['interval'] | null;
  refillAmount: number | null;
  refillDay: number | null;
}

export function toRefill(columns: RefillColumns): Refill | null {
  const { refillInterval, refillAmount, refillDay } = columns;
  if (refillInterval === null) return null;
  return { interval: refillInterval, amount: refillAmount ?? 0, dayOfMonth: refillDay };
}

/** A balance as it is stored: without the refills that came due since. */
export interface StoredBalance {
  credits: number | null;
  refilledMs: number;
}

/** The balance at a time, refills included. */
export function balanceAt(refill: Refill | null, stored: StoredBalance, now: number): number {
  const isDue = refill !== null && refilledAt(refill, stored, now) > stored.refilledMs;
  const balance = isDue ? refill.amount : (stored.credits ?? 0);
  return Math.min(Math.max(0, balance), Number.MAX_SAFE_INTEGER);
}

/** When the balance at a time was last set by a refill, in epoch milliseconds. */
export function refilledAt(
  refill: Refill | null,
  { refilledMs }: StoredBalance,
  now: number,
): number {
  const last = refill ? Math.max(refilledMs, lastRefill(refill, Math.floor(now))) : refilledMs;
  return Math.min(last, LAST_INSTANT.getTime());
}

const DAY_MS = 86_400_000;

/** The last due time at or before `now`, in epoch milliseconds. */
export function lastRefill(refill: Refill, now: number): number {
  if (refill.interval === 'daily') return now - (now % DAY_MS);
  const due = dueInMonth(refill, now, 0);
  return due <= now ? due : dueInMonth(refill, now, -1);
}

/** The first due time after `now`. */
export function nextRefill(refill: Refill, now: number): number {
  if (refill.interval === 'daily') return now - (now % DAY_MS) + DAY_MS;
  const due = dueInMonth(refill, now, 0);
  return due > now ? due : dueInMonth(refill, now, 1);
}

function dueInMonth({ dayOfMonth }: Refill, now: number, offset: number): number {
  const date = new Date(Math.min(now, LAST_INSTANT.getTime()));
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + offset];
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return Date.UTC(year, month, Math.min(Math.max(1, dayOfMonth ?? 1), lastDay));
}
