import {
  type Entry,
  isAnswered,
  type Limit,
  type Verification,
  type Violation,
} from '../history.ts';
import type { Effect } from './effects.ts';
import type { Model, ModelKey } from './model.ts';

/** How much the clocks of the recorder and the database may diverge over one window. */
const WINDOW_TOLERANCE_MS = 20;
/** A consumed unit is free again when its slice, a twentieth of the window, has left the window. */
const SLICES = 20;

/** P4: limits and credits are never overspent, and a denial consumes nothing and has a reason. */
export function checkSpending(model: Model, history: readonly Entry[]): Violation[] {
  const balances = new Map<string, number | null>();
  for (const entry of history) {
    if (entry.type === 'balance') balances.set(entry.keyId, entry.credits);
  }
  const calls = Map.groupBy(
    history.filter((entry): entry is Verification => entry.type === 'verify' && !entry.forged),
    ({ ref }) => model.strings.get(ref)?.key.id ?? '',
  );
  return [...model.keys.values()].flatMap((key) => {
    const own = (calls.get(key.id) ?? []).toSorted((a, b) => a.start - b.start);
    return [
      ...wrongBalance(key, own, balances.get(key.id) ?? null),
      ...wronglyExhausted(key, own),
      ...exceededWindows(key, own),
      ...wronglyLimited(key, own),
    ];
  });
}

/** Between changes the balance loses what was consumed: at least the answered verifications. */
function wrongBalance(key: ModelKey, calls: Verification[], final: number | null): Violation[] {
  if (key.made.changed.credits === undefined || final === null) return [];
  let balance = key.made.changed.credits;
  let spent = 0;
  for (const { audit } of changesOfCredits(key)) {
    if (!audit || audit.creditsBefore === null || audit.creditsAfter === null) continue;
    spent += balance - audit.creditsBefore;
    balance = audit.creditsAfter;
  }
  spent += balance - final;
  const answered = total(calls.filter(isPaid));
  const most = answered + total(calls.filter((call) => !isAnswered(call)));
  if (spent >= answered && spent <= most && final >= 0) return [];
  const what = `${key.id}: ${spent} credits spent, ${answered} by answered verifications, ${most} at most`;
  return [{ promise: 'P4', what }];
}

/** Exhausted although enough was left even if everything unknown was consumed. */
function wronglyExhausted(key: ModelKey, calls: Verification[]): Violation[] {
  const changes = changesOfCredits(key);
  return calls
    .filter(({ code }) => code === 'CREDITS_EXHAUSTED')
    .flatMap((call) => {
      const least = Math.min(
        ...latest(key, changes, call).map(({ start, balance }) => {
          return balance - total(spentWithin(calls, start, call.end, call));
        }),
      );
      if (least < call.requested.cost) return [];
      const what = `${key.id}: exhausted, but at least ${least} credits were left`;
      return [{ promise: 'P4' as const, what, call: call.id }];
    });
}

/** The changes of the balance that may have been the last when the call was decided. */
function latest(key: ModelKey, changes: readonly Effect[], call: Verification) {
  const made = { start: key.made.start, balance: key.made.changed.credits ?? 0 };
  const begun = changes.filter(({ start, audit }) => start <= call.end && audit);
  const settled = begun.findLastIndex(({ end }) => end < call.start);
  const candidates = begun
    .slice(Math.max(0, settled))
    .map(({ start, audit }) => ({ start, balance: audit?.creditsAfter ?? 0 }));
  return settled === -1 ? [made, ...candidates] : candidates;
}

function changesOfCredits(key: ModelKey): Effect[] {
  return key.effects.filter(({ call }) => call.op === 'credits');
}

/** More passed within one window than any limit of that time allows. */
function exceededWindows(key: ModelKey, calls: Verification[]): Violation[] {
  const paid = calls.filter(isPaid);
  const violations: Violation[] = [];
  for (const [first, { start }] of paid.entries()) {
    const limit = widest(key, start, start + MOST_WINDOW_MS);
    if (!limit) continue;
    const end = start + limit.windowSeconds * 1000 - WINDOW_TOLERANCE_MS;
    const within: Verification[] = [];
    for (let i = first; i < paid.length; i++) {
      const call = paid[i];
      if (!call || call.start > end) break;
      if (call.end <= end) within.push(call);
    }
    if (total(within) <= limit.units) continue;
    const what = `${key.id}: ${total(within)} units within ${limit.windowSeconds} s, the limit is ${limit.units}`;
    violations.push({ promise: 'P4', what, ...(paid[first] && { call: paid[first].id }) });
  }
  return violations;
}

const MOST_WINDOW_MS = 10_000;

/** Null if at some moment there may have been no limit, or one with another window. */
function widest(key: ModelKey, start: number, end: number): Limit | null {
  const [first, ...others] = key.limit.possible(start, end);
  if (!first) return null;
  let units = first.units;
  for (const limit of others) {
    if (limit?.windowSeconds !== first.windowSeconds) return null;
    units = Math.max(units, limit.units);
  }
  return { units, windowSeconds: first.windowSeconds };
}

/** Limited although there was room even if everything unknown was consumed. */
function wronglyLimited(key: ModelKey, calls: Verification[]): Violation[] {
  return calls
    .filter(({ code }) => code === 'RATE_LIMITED')
    .flatMap((call) => {
      const limits = key.limit.possible(call.start, call.end);
      const room = limits.every((limit) => limit === null || hasRoom(limit, calls, call));
      if (!room) return [];
      const what = `${key.id}: limited, but there was room`;
      return [{ promise: 'P4' as const, what, call: call.id }];
    });
}

function hasRoom({ units, windowSeconds }: Limit, calls: Verification[], call: Verification) {
  const memoryMs = windowSeconds * 1000 * (1 + 1 / SLICES) + WINDOW_TOLERANCE_MS;
  const spent = total(spentWithin(calls, call.start - memoryMs, call.end, call));
  return spent + call.requested.cost <= units;
}

/** The other verifications that may have consumed something between two times. */
function spentWithin(calls: Verification[], start: number, end: number, except: Verification) {
  return calls.filter(
    (call) =>
      call !== except &&
      call.start <= end &&
      call.end >= start - stretch(call) &&
      (isPaid(call) || !isAnswered(call)),
  );
}

/** An unanswered call may have been executed after its caller stopped waiting. */
function stretch(call: Verification): number {
  return isAnswered(call) ? 0 : LATEST_MS;
}

const LATEST_MS = 30_000;

function isPaid({ code }: Verification): boolean {
  return code === 'VALID';
}

function total(calls: readonly Verification[]): number {
  return calls.reduce((sum, { requested }) => sum + requested.cost, 0);
}
