import type { Orm, Transaction } from '../db/database.ts';
import { KeywardError, noWorkspace } from '../errors.ts';
import {
  findWorkspace,
  lockWorkspace,
  type WorkspaceLock,
  type WorkspaceRow,
} from '../workspaces/store.ts';
import { countActiveKeys, countKeys } from './store.ts';

/** What a workspace demands of its keys when they are created or changed. */
export type WorkspacePolicies = WorkspaceRow;

export async function readPolicies(db: Orm | Transaction, id: string): Promise<WorkspacePolicies> {
  const row = await findWorkspace(db, id);
  if (row) return row;
  throw noWorkspace(id);
}

/** The policies, locked until the transaction ends: a read, and the lock that it asks for. */
export async function lockPolicies(tx: Transaction, id: string): Promise<WorkspacePolicies> {
  return policyLock(await readPolicies(tx, id))(tx);
}

/**
 * Locks the policies that were read earlier, until the transaction ends. Without a maximum of
 * keys a shared lock does, under which no suspension waits for an import; with one, keys are counted
 * one change after the other. Where the limit appeared since, two upgrades of the lock can deadlock;
 * what is remembered lets their retries begin with the stronger one.
 */
export function policyLock(known: WorkspacePolicies) {
  let current = known;
  return async (tx: Transaction): Promise<WorkspacePolicies> => {
    const lock = lockFor(current);
    current = await lockRow(tx, current.id, lock);
    return lockFor(current) === 'update' && lock !== 'update'
      ? lockRow(tx, current.id, 'update')
      : current;
  };
}

/** Refuses more keys than the workspace may have: exactly, if its policies are locked. */
export async function enforceKeyQuota(
  db: Orm | Transaction,
  policies: WorkspacePolicies,
  at: Date,
  added = 1,
): Promise<void> {
  await enforceActiveKeys(db, policies, at, added);
  const { id, maxKeys } = policies;
  if (maxKeys === null || (await countKeys(db, id)) + added <= maxKeys) return;
  throw new KeywardError(
    'KEY_LIMIT_REACHED',
    `The workspace may have ${maxKeys} keys that are not deleted.`,
  );
}

/** The same for keys that are neither revoked nor expired. */
export async function enforceActiveKeys(
  db: Orm | Transaction,
  { id, maxActiveKeys }: WorkspacePolicies,
  at: Date,
  added = 1,
): Promise<void> {
  if (maxActiveKeys === null) return;
  if ((await countActiveKeys(db, id, at)) + added <= maxActiveKeys) return;
  throw new KeywardError(
    'KEY_LIMIT_REACHED',
    `The workspace may have ${maxActiveKeys} active keys.`,
  );
}

function lockFor({ maxActiveKeys, maxKeys }: WorkspacePolicies): WorkspaceLock {
  return maxActiveKeys === null && maxKeys === null ? 'key share' : 'update';
}

async function lockRow(tx: Transaction, id: string, lock: WorkspaceLock) {
  const row = await lockWorkspace(tx, id, lock);
  if (row && !row.deletedAt) return row;
  throw noWorkspace(id);
}
