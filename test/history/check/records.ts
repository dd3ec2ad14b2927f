import {
  type AuditEntry,
  type ChangeCall,
  type Entry,
  isAcknowledged,
  isAnswered,
  OPERATIONS,
  type Violation,
} from '../history.ts';
import { nameOf } from './effects.ts';
import type { Model } from './model.ts';

/**
 * P6: each acknowledged change has one audit entry, nothing else has one, and the chain is intact.
 */
export function checkRecords(model: Model, history: readonly Entry[]): Violation[] {
  const calls = new Map<string, ChangeCall>();
  const names = new Set<string>();
  for (const entry of history) if (entry.type === 'change') calls.set(entry.id, entry);
  const violations: Violation[] = [];
  const report = (what: string, call: string) => violations.push({ promise: 'P6', what, call });

  for (const entry of history) {
    if (entry.type === 'chain' && !entry.intact) {
      violations.push({ promise: 'P6', what: `the chain is broken: ${entry.said}` });
    }
    if (entry.type !== 'audit' || entry.isOwn || entry.action === 'webhook.created') continue;
    const name = nameOf(entry.requestId, entry.action, entry.targetId);
    if (names.has(name))
      report(`${entry.action} of ${entry.targetId} is recorded twice`, entry.requestId);
    names.add(name);
    const stranger = unexplained(entry, calls.get(entry.requestId));
    if (stranger !== null) report(stranger, entry.requestId);
  }
  for (const call of calls.values()) {
    for (const target of missing(model, call, names)) {
      report(`an acknowledged ${call.op} of ${target} is not on the record`, call.id);
    }
  }
  return violations;
}

function unexplained(entry: AuditEntry, call: ChangeCall | undefined): string | null {
  const { action, targetId } = entry;
  if (!call) return `${action} of ${targetId} is recorded, but was not requested`;
  if (OPERATIONS[call.op] !== action) return `a ${call.op} was recorded as ${action}`;
  const isNamed = call.targets.length === 0 || call.targets.includes(targetId);
  if (!isNamed) return `a ${call.op} was recorded for ${targetId}`;
  if (isAnswered(call) && !isAcknowledged(call)) return `a refused ${call.op} is on the record`;
  return null;
}

function missing(model: Model, call: ChangeCall, names: ReadonlySet<string>): string[] {
  if (!isAcknowledged(call)) return [];
  return call.targets.filter((target) => {
    if (names.has(nameOf(call.id, OPERATIONS[call.op], target))) return false;
    return !mayHaveChangedNothing(model, call, target);
  });
}

/** An idempotent call has no audit entry if what it requests was already so. */
function mayHaveChangedNothing(model: Model, call: ChangeCall, target: string): boolean {
  const { op, start, end } = call;
  if (op === 'end-grace') return true;
  if (op === 'suspend' || op === 'resume') {
    const register = model.suspension(target);
    const own = register.writes.find((write) => write.start === start && write.end === end);
    return register.possible(start, end, own).includes(op === 'suspend');
  }
  if (op !== 'revoke' && op !== 'revoke-management') return false;
  const others = model.keys.get(target)?.effects ?? [];
  return others.some((other) => {
    const ends = ['revoke', 'bulk-revoke', 'delete', 'revoke-management'].includes(other.call.op);
    return ends && other.call !== call && other.start <= end;
  });
}
