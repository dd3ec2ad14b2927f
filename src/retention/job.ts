import type { Orm } from '../db/database.ts';
import type { Cutoffs } from './cutoffs.ts';

/** Behind which key a step begins. */
export interface Place {
  workspaceId: string;
  keyId: string;
  /** Where keys are looked at in the order of their end: that of the key. */
  endedAt: string;
}

export const START: Place = { workspaceId: '', keyId: '', endedAt: '-infinity' };

export interface StepResult {
  /** Moved, marked or removed. */
  rows: number;
  /** Where the next step begins; null: nothing is left to do. */
  next: Place | null;
  /** Where the next run begins, if not at the start. */
  resumeAt?: Place;
  /** The first hour that is still counted in, of those that were looked at, in epoch milliseconds. */
  oldestHour?: number | null;
}

type JobName =
  | 'make_partitions'
  | 'move_recent'
  | 'move_unmatched'
  | 'move_days'
  | 'drop_partitions'
  | 'remove_retired_secrets'
  | 'remove_deleted_keys'
  | 'mark_ended_keys';

/** Work that is done in steps, each a transaction that is exact by itself. */
export interface RetentionJob {
  name: JobName;
  /** Of a step; fewer after a time-out. */
  maxRows: number;
  /** Whether what it does cannot be read any more, and is logged. */
  removes: boolean;
  /** Null if another instance is at work. */
  step: (orm: Orm, cutoffs: Cutoffs, place: Place, maxRows: number) => Promise<StepResult | null>;
}

/** The result of a step that begins at the start each time, and is the last if it finds little. */
export function fromStart(rows: number | null | undefined, isLast: boolean): StepResult | null {
  if (rows === null || rows === undefined) return null;
  return { rows, next: isLast ? null : START };
}
