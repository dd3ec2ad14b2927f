import type { Orm } from '../db/database.ts';
import type { AlertReader } from './alert-reader.ts';
import type { Condition, FindInput, Found } from './condition.ts';
import { type OpenAlert, readKnown, readOpen, type Watched } from './watched.ts';

/** Open alerts of a type in a workspace. The rest waits until some of them end. */
const MAX_OPEN = 10_000;
/** Targets in one statement. */
const PART = 500;
/** Between the cause of a finding that may recur and the time at which it did. */
const SINCE = ' since ';

/** What is to be done about the alerts of a type in a workspace. */
export interface Findings {
  fresh: Found[];
  /** Ids of alerts that are over. */
  gone: string[];
  /** Ids of those of a former tenant, or of a workspace that is deleted. */
  former: string[];
  /** Whether there is more than may be open. */
  heldBack: boolean;
}

type Named = Pick<Found, 'targetId' | 'cause'>;

/** Compares what is true now with what is open. */
export async function findingsOf(
  { orm, reader }: { orm: Orm; reader: AlertReader },
  condition: Condition,
  workspace: Watched,
  now: Date,
): Promise<Findings> {
  const { id, createdAt, deleted, hasOpen } = workspace;
  const all = hasOpen ? await reader.run((tx) => readOpen(tx, condition.type, id)) : [];
  const isFormer = ({ openedAt }: OpenAlert) => deleted || openedAt < createdAt;
  const former = idsOf(all.filter(isFormer));
  if (deleted) return { fresh: [], gone: [], former, heldBack: false };
  const open = all.filter((alert) => !isFormer(alert));
  const input = { orm, read: reader.query, workspace, now, limit: MAX_OPEN };
  const found = await condition.find(input);
  const fresh = await withoutKnown(reader, condition, id, without(found, open, condition));
  const gone = await withoutTrue(without(open, found, condition), condition, input);
  const room = Math.max(0, MAX_OPEN - (open.length - gone.length));
  const heldBack = found.length >= MAX_OPEN || fresh.length > room;
  return { fresh: fresh.slice(0, room), gone: idsOf(gone), former, heldBack };
}

/** Those that are over, and not merely beyond what was found. */
async function withoutTrue(
  missing: readonly OpenAlert[],
  condition: Condition,
  input: FindInput,
): Promise<OpenAlert[]> {
  let left = [...missing];
  for (let from = 0; from < missing.length; from += PART) {
    const targets = missing.slice(from, from + PART).map(({ targetId }) => targetId);
    left = without(left, await condition.find({ ...input, targets }), condition);
  }
  return left;
}

/** What opens for a finding that may recur has a cause of its own each time. */
export function causeToOpen({ recurs }: Condition, { cause }: Found, at: Date): string {
  return recurs ? `${cause}${SINCE}${at.toISOString()}` : cause;
}

/** Those of which there was no alert yet, or that may have another one. */
async function withoutKnown(
  reader: AlertReader,
  condition: Condition,
  workspaceId: string,
  fresh: Found[],
): Promise<Found[]> {
  if (condition.recurs || fresh.length === 0) return fresh;
  const known = await reader.run((tx) => readKnown(tx, condition.type, workspaceId, fresh));
  return without(fresh, known, condition);
}

function without<T extends Named>(
  those: readonly T[],
  others: readonly Named[],
  condition: Condition,
): T[] {
  const names = new Set(others.map((one) => nameOf(one, condition)));
  return those.filter((one) => !names.has(nameOf(one, condition)));
}

function nameOf({ targetId, cause }: Named, { recurs }: Condition): string {
  const [base = cause] = recurs ? cause.split(SINCE) : [cause];
  return `${targetId} ${base}`;
}

function idsOf(alerts: readonly OpenAlert[]): string[] {
  return alerts.map(({ id }) => id);
}
