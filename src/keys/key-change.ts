import { type CallContext, workspaceScope } from '../call-context.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { KeywardError } from '../errors.ts';
import { etagOf, requireMatch, type Versioned } from '../http/etag.ts';
import { differs } from '../unit-of-work/difference.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import { auditKeyChange, type KeyAction } from './audit.ts';
import { findKey, type KeyRecord } from './key-records.ts';
import { presentVersioned } from './presenter.ts';
import type { Key } from './schemas/key.ts';
import { type KeyChanges, type KeyRow, lockKey, updateKey } from './store.ts';
import { lockPolicies, type WorkspacePolicies } from './workspace-policies.ts';

/** Names one key, whose id alone is enough; a workspace only narrows it. */
export interface KeyName {
  id: string;
  workspaceId?: string | undefined;
}

/** `locked` are the policies of the key's workspace, if they were locked before the key. */
export type KeyChange = (
  write: WriteContext,
  key: KeyRow,
  locked: WorkspacePolicies | null,
) => Promise<void>;

/** Changes one key in one transaction. Returns the key as it is then. */
export function changeKey(
  unitOfWork: UnitOfWork,
  call: CallContext,
  name: KeyName,
  change: KeyChange,
  lockWorkspaceFirst = false,
): Promise<Versioned<Key>> {
  return unitOfWork.run(call, async (write) => {
    const locked = lockWorkspaceFirst ? await lockWorkspaceOf(write, call, name) : null;
    const key = await lockNamedKey(write, call, name);
    await change(write, key, locked);
    return readBack(write, key);
  });
}

/** No key moves to another workspace, so the one that is locked is still the key's afterwards. */
async function lockWorkspaceOf({ tx }: WriteContext, call: CallContext, name: KeyName) {
  const { key } = await findNamedKey(tx, call, name);
  return lockPolicies(tx, key.workspaceId);
}

/** The key that is named, if the caller may see it. */
export async function findNamedKey(
  db: Orm | Transaction,
  { caller }: CallContext,
  { id, workspaceId }: KeyName,
): Promise<KeyRecord> {
  const record = await findKey(db, workspaceScope(caller, workspaceId), id);
  if (!record) throw new KeywardError('NOT_FOUND');
  return record;
}

/** The key's row, locked, if it is the version that the caller read. */
export async function lockNamedKey(
  { tx }: WriteContext,
  call: CallContext,
  { id, workspaceId }: KeyName,
): Promise<KeyRow> {
  const key = await lockKey(tx, workspaceScope(call.caller, workspaceId), id);
  if (!key) throw new KeywardError('NOT_FOUND');
  requireMatch(call, etagOf(key));
  return key;
}

/** The key as this transaction has written it. */
export async function readBack(
  { tx, at }: WriteContext,
  { workspaceId, id }: Pick<KeyRow, 'workspaceId' | 'id'>,
): Promise<Versioned<Key>> {
  const record = await findKey(tx, workspaceId, id);
  if (!record) throw new Error('a key that was just written can be read');
  return presentVersioned(record, at.getTime());
}

/** Writes and audits what differs; nothing if nothing does. */
export async function updateIfChanged(
  write: WriteContext,
  action: KeyAction,
  key: KeyRow,
  changes: KeyChanges,
): Promise<KeyRow> {
  if (!differs(key, changes)) return key;
  const updated = await updateKey(write.tx, key.id, { ...changes, updatedAt: write.at });
  auditKeyChange(write, action, key, updated);
  return updated;
}
