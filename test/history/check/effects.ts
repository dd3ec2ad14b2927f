import {
  type AuditEntry,
  type ChangeCall,
  type Entry,
  isAcknowledged,
  isAnswered,
  OPERATIONS,
} from '../history.ts';

/** The effect of a call on one target, with its audit entry. */
export interface Effect {
  call: ChangeCall;
  target: string;
  start: number;
  /** From then on it was certainly in force. */
  end: number;
  sequence: number | null;
  /**
   * The earliest and the latest time of the change by the database's clock, in epoch milliseconds.
   */
  time: readonly [number, number];
  audit: AuditEntry | null;
}

/**
 * The changes that took effect. The audit log tells what the caller could not know: an unanswered
 * call took effect if it has an entry. It also gives the order of commits in each workspace.
 */
export function effectsOf(history: readonly Entry[]): Effect[] {
  const audit = auditIndex(history);
  const inForceBy = inForceTimes(history);
  const effects: Effect[] = [];
  for (const call of history) {
    if (call.type !== 'change') continue;
    for (const target of targetsOf(call, audit)) {
      const entry = audit.get(nameOf(call.id, OPERATIONS[call.op], target)) ?? null;
      if (!entry && !isAcknowledged(call)) continue;
      const answered = isAcknowledged(call) ? call.end : Number.POSITIVE_INFINITY;
      effects.push({
        call,
        target,
        start: call.start,
        end: Math.min(answered, (entry && inForceBy.get(entry)) ?? answered),
        sequence: entry?.sequence ?? null,
        time: entry ? [entry.time, entry.time] : [call.wall, call.wall + call.end - call.start],
        audit: entry,
      });
    }
  }
  return effects;
}

/**
 * In the order in which the effects in one workspace were committed, as far as known. No change is
 * in force later than one that follows it in the log, so this is also the order of their ends.
 */
export function inOrder(effects: readonly Effect[]): Effect[] {
  return effects.toSorted((a, b) => {
    if (a.end !== b.end) return a.end < b.end ? -1 : 1;
    return (a.sequence ?? 0) - (b.sequence ?? 0);
  });
}

export function nameOf(requestId: string, action: string, target: string): string {
  return `${requestId} ${action} ${target}`;
}

function auditIndex(history: readonly Entry[]): Map<string, AuditEntry> {
  const index = new Map<string, AuditEntry>();
  for (const entry of history) {
    if (entry.type !== 'audit') continue;
    index.set(nameOf(entry.requestId, entry.action, entry.targetId), entry);
  }
  return index;
}

/**
 * An acknowledged bulk call lists what it changed; one with an unknown outcome may have changed
 * all.
 */
function targetsOf(call: ChangeCall, audit: ReadonlyMap<string, AuditEntry>): string[] {
  const action = OPERATIONS[call.op];
  if (isAcknowledged(call)) return call.targets;
  if (isAnswered(call)) return [];
  return call.targets.filter((target) => audit.has(nameOf(call.id, action, target)));
}

/** A change was in force once a later one of its workspace was acknowledged. */
function inForceTimes(history: readonly Entry[]): Map<AuditEntry, number> {
  const ends = new Map<string, number>();
  const entries: AuditEntry[] = [];
  for (const entry of history) {
    if (entry.type === 'audit') entries.push(entry);
    if (entry.type === 'change' && isAcknowledged(entry)) ends.set(entry.id, entry.end);
  }
  const times = new Map<AuditEntry, number>();
  for (const log of Map.groupBy(entries, ({ workspaceId }) => workspaceId).values()) {
    let earliest = Number.POSITIVE_INFINITY;
    for (const entry of log.toSorted((a, b) => b.sequence - a.sequence)) {
      earliest = Math.min(earliest, ends.get(entry.requestId) ?? Number.POSITIVE_INFINITY);
      times.set(entry, earliest);
    }
  }
  return times;
}
