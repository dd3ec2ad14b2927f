import { lossWindows } from './check/counting.ts';
import {
  type Entry,
  isAnswered,
  type Received,
  type Verification,
  type Violation,
} from './history.ts';

const SHOWN = 12;

/** One page: the calls, the faults, and the violations found. */
export function reportOf(history: readonly Entry[], violations: readonly Violation[]): string {
  const verifications = history.filter((e): e is Verification => e.type === 'verify');
  const changes = history.filter((entry) => entry.type === 'change');
  const faults = history.filter((entry) => entry.type === 'fault');
  const received = history.filter((e): e is Received => e.type === 'received');
  const counted = history.reduce((sum, e) => sum + (e.type === 'count' ? e.count : 0), 0);
  const windows = lossWindows(history).map(({ from, to }) => to - from);
  const lines = [
    `verifications  ${verifications.length}, answered ${verifications.filter(isAnswered).length}`,
    `verdicts       ${tally(verifications.map(({ code, status }) => code ?? String(status ?? 'none')))}`,
    `changes        ${changes.length}: ${tally(changes.map(({ op }) => op))}`,
    `               by status ${tally(changes.map(({ status }) => String(status ?? 'none')))}`,
    `faults         ${faults.length}: ${tally(faults.map(({ kind }) => kind))}`,
    `counted        ${counted}`,
    `audit entries  ${history.filter(({ type }) => type === 'audit').length}`,
    `events         received ${received.length}, accepted ${received.filter(({ accepted }) => accepted).length}, queued: ${tally(history.flatMap((e) => (e.type === 'delivery' ? [e.status] : [])))}`,
    `kill -9        ${windows.length}; could lose the last ${windows.map((ms) => Math.round(ms)).join(', ')} ms`,
    `endings        ${tally(history.flatMap((e) => (e.type === 'ending' ? [`${e.how} ${e.exitCode}`] : [])))}`,
    '',
    violations.length === 0 ? 'no violation' : `${violations.length} VIOLATIONS`,
    ...violations
      .slice(0, SHOWN)
      .map(({ promise, what, call }) => `  ${promise}: ${what} ${call ?? ''}`),
  ];
  return `${lines.join('\n')}\n`;
}

function tally(names: readonly string[]): string {
  const groups = Map.groupBy(names, (name) => name);
  const counts = [...groups].map(([name, all]) => [name, all.length] as const);
  return counts
    .toSorted((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
