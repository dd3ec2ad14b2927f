import { sql } from 'drizzle-orm';
import type { Orm } from '../db/database.ts';
import { runInTime } from '../db/statement-timeout.ts';
import type { Cutoffs } from './cutoffs.ts';
import { fromStart, type Place, type RetentionJob, type StepResult } from './job.ts';

/** Of more than 1000, the feed would name the whole workspace. */
const MAX_SECRETS = 500;
/** Each has up to some thousand rows of usage. */
const MAX_KEYS = 50;

async function removeRetiredSecrets(
  orm: Orm,
  { secretsRetiredBefore }: Cutoffs,
  _place: Place,
  max: number,
): Promise<StepResult | null> {
  const remove = sql`select remove_retired_secrets(${secretsRetiredBefore}, ${max}) as removed`;
  const [row] = await runInTime<{ removed: number | null }>(orm, remove);
  return fromStart(row?.removed, (row?.removed ?? 0) < max);
}

async function removeDeletedKeys(
  orm: Orm,
  { keysDeletedBefore }: Cutoffs,
  _place: Place,
  max: number,
): Promise<StepResult | null> {
  const remove = sql`select remove_deleted_keys(${keysDeletedBefore}, ${max}) as removed`;
  const [row] = await runInTime<{ removed: number | null }>(orm, remove);
  return fromStart(row?.removed, (row?.removed ?? 0) < max);
}

/** Their counts stay: those of strings with their key, those of keys with their workspace. */
export const REMOVALS: readonly RetentionJob[] = [
  {
    name: 'remove_retired_secrets',
    maxRows: MAX_SECRETS,
    removes: true,
    step: removeRetiredSecrets,
  },
  { name: 'remove_deleted_keys', maxRows: MAX_KEYS, removes: true, step: removeDeletedKeys },
];
