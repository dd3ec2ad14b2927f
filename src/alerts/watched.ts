import { and, asc, eq, exists, gt, isNull, or, type SQL, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { Transaction } from '../db/database.ts';
import { alerts, workspaces } from '../db/schema.ts';
import { DEFAULT_ALERT_THRESHOLDS } from '../domain/alert-thresholds.ts';
import type { AlertType } from '../domain/alert-types.ts';
import { DEFAULT_IDLE_POLICY } from '../domain/idle-policy.ts';
import type { Found, WatchedWorkspace } from './condition.ts';

const PAGE = 50;
/** By this name conditions say which workspaces they concern. */
const w = alias(workspaces, 'w');

export interface Watched extends WatchedWorkspace {
  deleted: boolean;
  /** Whether it has open alerts of the type. */
  hasOpen: boolean;
}

export interface OpenAlert {
  id: string;
  targetId: string;
  cause: string;
  openedAt: Date;
}

/** The next workspaces that a condition concerns, or that have open alerts of its type. */
export async function readWatched(
  tx: Transaction,
  type: AlertType,
  after: string,
  concerns: SQL | undefined,
): Promise<Watched[]> {
  const open = tx
    .select({ id: alerts.id })
    .from(alerts)
    .where(and(eq(alerts.workspaceId, w.id), eq(alerts.type, type), isNull(alerts.endedAt)));
  const isOpen = sql<boolean>`${exists(open)}`;
  const { id, createdAt, deletedAt, alertThresholds, idlePolicy } = w;
  const rows = await tx
    .select({ id, createdAt, deletedAt, alertThresholds, idlePolicy, hasOpen: isOpen })
    .from(w)
    .where(and(gt(id, after), or(and(isNull(deletedAt), concerns), isOpen)))
    .orderBy(asc(id))
    .limit(PAGE);
  return rows.map((row) => ({
    id: row.id,
    createdAt: row.createdAt,
    deleted: row.deletedAt !== null,
    hasOpen: row.hasOpen,
    thresholds: row.alertThresholds ?? DEFAULT_ALERT_THRESHOLDS,
    idlePolicy: row.idlePolicy ?? DEFAULT_IDLE_POLICY,
  }));
}

export function readOpen(
  tx: Transaction,
  type: AlertType,
  workspaceId: string,
): Promise<OpenAlert[]> {
  const { id, targetId, cause, openedAt, endedAt } = alerts;
  return tx
    .select({ id, targetId, cause, openedAt })
    .from(alerts)
    .where(and(eq(alerts.workspaceId, workspaceId), eq(alerts.type, type), isNull(endedAt)));
}

/** Those of which there is or was an alert. */
export async function readKnown(
  tx: Transaction,
  type: AlertType,
  workspaceId: string,
  found: readonly Found[],
): Promise<Pick<Found, 'targetId' | 'cause'>[]> {
  const targets = found.map(({ targetId }) => targetId);
  const causes = found.map(({ cause }) => cause);
  const { targetId, cause } = alerts;
  const isOne = sql`(${targetId}, ${cause}) in (
    select * from unnest(${sql.param(targets)}::text[], ${sql.param(causes)}::text[]))`;
  return tx
    .select({ targetId, cause })
    .from(alerts)
    .where(and(eq(alerts.workspaceId, workspaceId), eq(alerts.type, type), isOne));
}

export async function countOpen(tx: Transaction): Promise<[string, number][]> {
  const rows = await tx
    .select({ type: alerts.type, count: sql<number>`count(*)::integer` })
    .from(alerts)
    .where(isNull(alerts.endedAt))
    .groupBy(alerts.type);
  return rows.map(({ type, count }) => [type, count]);
}
