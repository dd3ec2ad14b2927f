import { sql } from 'drizzle-orm';
import type { Transaction } from '../db/database.ts';
import type { Actor } from '../domain/caller.ts';
import { type IdleStep, idleSteps } from '../domain/idle-policy.ts';
import { toIso } from '../domain/time.ts';
import { updateIfChanged } from '../keys/key-change.ts';
import { revokeKeys } from '../keys/revocation.ts';
import { type KeyRow, lockKeys } from '../keys/store.ts';
import type { WriteContext } from '../unit-of-work/unit-of-work.ts';
import { lockWorkspace, type WorkspaceRow } from '../workspaces/store.ts';
import { policyInForce, toIdleKey } from './idle-key.ts';
import { findWarnedKeys, readUsedKeys, readWarnings } from './store.ts';

export const ACTOR: Actor = { type: 'system', id: 'idle-policy', onBehalfOf: null };

/** Of the advisory locks of this database. */
const LOCK = 5396123;
const DAY_MS = 86_400_000;
/** Keys in one transaction. */
const PART = 50;

export interface StepResult {
  disabled: number;
  revoked: number;
  /** Behind which key the next step begins; null: nothing is left, or another instance is at work. */
  next: string | null;
}

const DONE: StepResult = { disabled: 0, revoked: 0, next: null };

/**
 * Does what is due with the next keys of a workspace. Its policy cannot change meanwhile, and each key is
 * judged as it is once it is locked.
 */
export async function applyPolicy(
  write: WriteContext,
  workspaceId: string,
  after: string,
): Promise<StepResult> {
  const { tx, at } = write;
  if (!(await isAlone(tx))) return DONE;
  const workspace = await lockWorkspace(tx, workspaceId, 'key share');
  if (!workspace || workspace.deletedAt) return DONE;
  const openedBefore = new Date(at.getTime() - policyInForce(workspace).noticeDays * DAY_MS);
  const ids = await findWarnedKeys(tx, workspace, { openedBefore, after, limit: PART });
  const due = await dueKeys(write, workspace, ids);
  const locked = await lockKeys(tx, workspaceId, { ids: due.map(({ key }) => key.id) }, PART);
  const still = await dueKeys(
    write,
    workspace,
    locked.map(({ id }) => id),
  );
  for (const one of still) await end(write, one);
  const count = (step: IdleStep) => still.filter((one) => one.step === step).length;
  const next = ids.length < PART ? null : (ids.at(-1) ?? null);
  return { disabled: count('disable'), revoked: count('revoke'), next };
}

interface DueKey {
  key: KeyRow;
  step: IdleStep;
  unusedSince: Date;
}

async function dueKeys(
  { tx, at }: WriteContext,
  workspace: WorkspaceRow,
  ids: readonly string[],
): Promise<DueKey[]> {
  if (ids.length === 0) return [];
  const warnings = await readWarnings(tx, workspace, ids);
  const policy = policyInForce(workspace);
  return (await readUsedKeys(tx, workspace.id, ids)).flatMap((used): DueKey[] => {
    const warnedAt = warnings.get(used.key.id) ?? null;
    const known = { warnedAt, workspaceChangedAt: workspace.updatedAt };
    const idle = toIdleKey(used, known, at);
    const [first] = idle ? idleSteps(policy, idle, at) : [];
    if (!idle || !first || first.step === 'warn' || first.at > at) return [];
    return [{ key: used.key, step: first.step, unusedSince: idle.unusedSince }];
  });
}

async function end(write: WriteContext, { key, step, unusedSince }: DueKey): Promise<void> {
  if (step === 'disable') {
    await updateIfChanged(write, 'updated', key, { enabled: false });
    return;
  }
  const note = `Unused since ${toIso(unusedSince)}.`;
  await revokeKeys(write, [key], { by: ACTOR, reason: 'idle', note });
}

async function isAlone(tx: Transaction): Promise<boolean> {
  const { rows } = await tx.execute<{ mine: boolean }>(
    sql`select pg_try_advisory_xact_lock(${LOCK}) as mine`,
  );
  return rows[0]?.mine === true;
}
