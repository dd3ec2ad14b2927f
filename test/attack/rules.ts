import { type Measured, quantile, tallied, total, VICTIMS } from './harness/samples.ts';

/** What one scenario did to the service and to its victims. */
export interface Outcome {
  measured: Measured;
  /** The attacker's answers by status and code. */
  met: ReadonlyMap<string, number>;
  /** How the process ended during the attack; null if it did not. */
  ended: string | null;
  /** From the end of the attack to a verification that is answered; null if none was. */
  recoveredMs: number | null;
  /** Live memory after a garbage collection; null if the process could not tell. */
  heapMiB: { before: number | null; after: number | null };
  /** What the scenario's own check found. */
  broken: readonly string[];
}

export interface Verdict {
  rule: string;
  isKept: boolean;
  /** What was measured, for people. */
  says: string;
}

/** The slowest hundredth of hot verifications may take this many times as long as without attack. */
const HOT_RATIO = 3;
/**
 * Below this a difference is noise: victims, attacker, service and database share two cores, where a
 * turn of the scheduler alone is several milliseconds.
 */
export const HOT_FLOOR_MS = 25;
/** The slowest revocation; where the machine needs a third of it without attack, three times that. */
const IN_FORCE_MS = 100;
const RECOVERED_WITHIN_MS = 5000;
/** Caches may keep what they are bounded to. */
const KEPT_MIB = 64;

/** Whether each rule was kept. A smoke run has no baseline, and no rule that looks at a clock. */
export function judge(outcome: Outcome, baseline: Measured | null): Verdict[] {
  const timed = baseline ? [hot(outcome, baseline), inForce(outcome, baseline)] : [];
  return [
    alive(outcome),
    served(outcome),
    right(outcome),
    errors(outcome),
    ...timed,
    memory(outcome),
  ];
}

function alive({ ended, recoveredMs }: Outcome): Verdict {
  const isBack = recoveredMs !== null && recoveredMs <= RECOVERED_WITHIN_MS;
  const says = recoveredMs === null ? 'no answer afterwards' : `${Math.round(recoveredMs)} ms`;
  return { rule: 'alive', isKept: ended === null && isBack, says: ended ?? says };
}

/** No request of a victim is refused or stays without an answer. */
function served({ measured }: Outcome): Verdict {
  const refused = VICTIMS.filter((kind) => total(measured.of[kind].refused) > 0);
  const says = refused.map((kind) => `${kind}: ${tallied(measured.of[kind].refused)}`).join('; ');
  return { rule: 'none refused', isKept: refused.length === 0, says };
}

/** No verdict is wrong: not for a victim, and not by the scenario's own check. */
function right({ measured, broken }: Outcome): Verdict {
  const wrong = [...new Set([...measured.wrong, ...broken])];
  return { rule: 'none wrong', isKept: wrong.length === 0, says: wrong.join('; ') };
}

/** The attacker may be refused, but finds no error of the service. */
function errors({ met }: Outcome): Verdict {
  const found = new Map([...met].filter(([name]) => name.startsWith('500')));
  return { rule: 'no 500', isKept: found.size === 0, says: tallied(found) };
}

function hot({ measured }: Outcome, baseline: Measured): Verdict {
  const [p99, alone] = [measured, baseline].map(({ of }) => quantile(of.hot.ms, 0.99));
  const most = Math.max(HOT_RATIO * (alone ?? 0), HOT_FLOOR_MS);
  const says = `${rounded(p99)} ms, at most ${rounded(most)}`;
  return { rule: 'hot p99', isKept: (p99 ?? Infinity) <= most, says };
}

function inForce({ measured }: Outcome, baseline: Measured): Verdict {
  const [slowest, alone] = [measured, baseline].map(({ inForceMs }) => Math.max(...inForceMs));
  const most = Math.max(HOT_RATIO * (alone ?? 0), IN_FORCE_MS);
  const says = `${rounded(slowest)} ms, at most ${rounded(most)}`;
  // Without any revocation there is nothing that could be late; it was refused, which shows above.
  return { rule: 'in force', isKept: (slowest ?? 0) <= most, says };
}

function memory({ heapMiB: { before, after } }: Outcome): Verdict {
  const says = `${rounded(before)} to ${rounded(after)} MiB`;
  return { rule: 'memory back', isKept: isBack(before, after), says };
}

export function isBack(before: number | null, after: number | null): boolean {
  return before !== null && after !== null && after <= before + KEPT_MIB;
}

export function rounded(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}
