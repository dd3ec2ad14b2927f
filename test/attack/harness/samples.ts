import { percentile } from '../../../bench/harness/statistics.ts';

/** What one kind of victim met. */
export interface Samples {
  /** From when each request was due to its answer, so that a stall shows in all that it delayed. */
  ms: number[];
  /** Requests without the answer that they must have, by what came instead. */
  refused: Map<string, number>;
}

export const VICTIMS = ['hot', 'quota', 'revocation', 'rotation', 'creation'] as const;
export type Victim = (typeof VICTIMS)[number];

export interface Measured {
  of: Record<Victim, Samples>;
  /** From the answer of each revocation to the answer that says so. */
  inForceMs: number[];
  /** Verdicts that must not be. */
  wrong: string[];
}

export function newMeasured(): Measured {
  const none = (): Samples => ({ ms: [], refused: new Map() });
  const of = { hot: none(), quota: none(), revocation: none(), rotation: none(), creation: none() };
  return { of, inForceMs: [], wrong: [] };
}

/** NaN where there is nothing. */
export function quantile(ms: readonly number[], share: number): number {
  return percentile(
    ms.toSorted((a, b) => a - b),
    share,
  );
}

export function add(tally: Map<string, number>, name: string): void {
  tally.set(name, (tally.get(name) ?? 0) + 1);
}

export function total(tally: ReadonlyMap<string, number>): number {
  return [...tally.values()].reduce((sum, count) => sum + count, 0);
}

export function tallied(tally: ReadonlyMap<string, number>): string {
  const ordered = [...tally].toSorted((a, b) => b[1] - a[1]);
  return ordered.map(([name, count]) => `${name} ×${count}`).join(', ');
}
