import { alerts } from '../../src/db/schema.ts';
import type { AlertType } from '../../src/domain/alert-types.ts';
import { newId } from '../../src/domain/key-string.ts';
import type { Instance } from './instance.ts';
import { type Pair, putWorkspace } from './pair.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
export const DAY_S = 86_400;

export interface ShownAlert {
  id: string;
  type: string;
  target: { type: string; id: string };
  details: Record<string, unknown>;
  state: string;
  openedAt: string;
  endedAt: string | null;
}

/** Moves time forward, writes what was counted, and lets an instance look for alerts. */
export async function lookAfter(pair: Pair, ms: number): Promise<void> {
  await pair.flush();
  pair.advance(ms);
  await pair.second.service.internals.alerts.run();
}

/** The alerts of a workspace, the newest first. */
export async function alertsOf(
  pair: Pair,
  workspaceId: string,
  query: Record<string, string> = {},
): Promise<ShownAlert[]> {
  const url = `/v1/alerts?${new URLSearchParams({ workspaceId, limit: '200', ...query })}`;
  return (await pair.first.call('GET', url)).body.data;
}

/** What is open in a workspace: types and targets, in no order. */
export async function openIn(pair: Pair, workspaceId: string): Promise<string[]> {
  const open = await alertsOf(pair, workspaceId, { state: 'open' });
  return open.map(({ type, target }) => `${type} ${target.id}`).toSorted();
}

let made = 0;

/** A workspace of its own for a test. */
export async function newWorkspace(pair: Pair, body: object = {}): Promise<string> {
  const id = `alerts-${++made}`;
  await putWorkspace(pair.first, id, body);
  return id;
}

/** A workspace with thresholds, the others being off. */
export function thresholds(own: object): object {
  return {
    alertThresholds: {
      ...{ expiringDays: [], rotationDueDays: null, limitedHours: null, creditsLow: null },
      ...{ wrongKeysPerHour: null, unusualFactor: null, unusualMinimum: 100 },
      ...own,
    },
    idlePolicy: {
      ...{ warnAfterDays: null, disableAfterDays: null, revokeAfterDays: null },
      noticeDays: 14,
    },
  };
}

/** An open alert about a key, without the job. Returns its id. */
export async function insertAlert(
  { service }: Instance,
  workspaceId: string,
  targetId: string,
  type: AlertType = 'key_unused',
): Promise<string> {
  const { database, clock } = service.internals;
  const id = newId('alert');
  await database.orm.insert(alerts).values({
    ...{ id, workspaceId, type, targetType: 'key', targetId },
    ...{ cause: id, details: {}, openedAt: clock.date() },
  });
  return id;
}
