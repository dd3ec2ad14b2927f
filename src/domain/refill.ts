/** When a balance of credits is set to its amount again: at 00:00 UTC. */
export interface Refill {
  interval: 'daily' | 'monthly';
  amount: number;
  /** For monthly refills; in a shorter month, its last day. */
  dayOfMonth: number | null;
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
  const date = new Date(now);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + offset];
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return Date.UTC(year, month, Math.min(dayOfMonth ?? 1, lastDay));
}
