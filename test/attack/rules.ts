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

/** What is timed may take this many times as long as without attack. */
const RATIO = 3;
/**
 * Below these a difference is noise: victims, attacker, service and database share two cores, where a
 * turn of the scheduler alone is several milliseconds. A verification with a quota is a commit.
 */
const FLOOR_MS = { hot: 25, quota: 100 };
const IN_FORCE_MS = 100;
/** Of a request of any kind: the slowest one of those that change something is a few commits. */
const SLOWEST_MS = 2000;
const RECOVERED_WITHIN_MS = 5000;
/** Caches may keep what they are bounded to. */
const KEPT_MIB = 64;

/** Whether each rule was kept. A smoke run has no baseline, and no rule that looks at a clock. */
export function judge(outcome: Outcome, baseline: Measured | null, hotRatio = RATIO): Verdict[] {
  const always = [alive(outcome), served(outcome), right(outcome), errors(outcome)];
  return [...always, ...(baseline ? timed(outcome, baseline, hotRatio) : []), memory(outcome)];
}

function timed({ measured }: Outcome, baseline: Measured, hotRatio: number): Verdict[] {
  const both = (of: (one: Measured) => number): [number, number] => [of(measured), of(baseline)];
  const slowest = (ms: readonly number[]) => Math.max(0, ...ms);
  return [
    within(
      'hot p99',
      both(({ of }) => quantile(of.hot.ms, 0.99)),
      FLOOR_MS.hot,
      hotRatio,
    ),
    within(
      'quota p99',
      both(({ of }) => quantile(of.quota.ms, 0.99)),
      FLOOR_MS.quota,
    ),
    within(
      'in force',
      both(({ inForceMs }) => slowest(inForceMs)),
      IN_FORCE_MS,
    ),
    within(
      'slowest',
      both(({ of }) => slowest(VICTIMS.flatMap((kind) => of[kind].ms))),
      SLOWEST_MS,
    ),
  ];
}

/** At most the floor, or three times what it was without attack. */
function within(
  rule: string,
  [ms, alone]: [number, number],
  floorMs: number,
  ratio = RATIO,
): Verdict {
  const most = Math.max(ratio * alone, floorMs);
  return { rule, isKept: ms <= most, says: `${rounded(ms)} ms, at most ${rounded(most)}` };
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
