import type { SQL } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import type { AlertThresholds } from '../domain/alert-thresholds.ts';
import type { AlertType } from '../domain/alert-types.ts';
import type { IdlePolicy } from '../domain/idle-policy.ts';
import type { JsonObject } from '../domain/json.ts';
import type { AlertReader } from './alert-reader.ts';

/** A workspace that exists, with the defaults of what it does not set. */
export interface WatchedWorkspace {
  id: string;
  createdAt: Date;
  thresholds: AlertThresholds;
  idlePolicy: IdlePolicy;
}

/** Something that is true now and that someone should know. */
export interface Found {
  targetType: 'key' | 'management_key' | 'workspace' | 'webhook';
  targetId: string;
  /** Stays the same for as long as it is the same finding: an alert fires once for it. */
  cause: string;
  /** Figures and times. Never a string of a key. */
  details: JsonObject;
}

/** Runs one statement that reads, when it may take a connection, by indexes and for a bounded time. */
export type Read = AlertReader['query'];

export interface FindInput {
  orm: Orm;
  read: Read;
  workspace: WatchedWorkspace;
  now: Date;
  /** At most as many; which ones, is the same each time. */
  limit: number;
  /** Of these alone; asked to tell what is over from what was beyond the limit. */
  targets?: readonly string[];
}

export interface Condition {
  type: AlertType;
  everyMs: number;
  /** Of which workspaces (`w`) it may be true; left out: of each. What is open is looked at anyway. */
  concerns?: (now: Date) => SQL;
  /** Whether an alert that has ended opens again for the same cause. */
  recurs?: boolean;
  /** All that is true now, of one workspace. */
  find: (input: FindInput) => Promise<Found[]>;
}
