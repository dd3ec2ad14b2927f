import { authorizedWorkspaceId, type CallContext } from '../../call-context.ts';
import { invalidField, KeywardError } from '../../errors.ts';
import type { CallResult } from '../../http/reply.ts';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.ts';
import { keyDifference } from '../presenter.ts';
import { keyTarget, revocation } from '../service.ts';
import { type KeyRow, lockKeys, updateKeys } from '../store.ts';
import type { BulkRevocation, BulkRevoke } from './schemas.ts';

const MOST_KEYS = 10_000;

/** Revokes keys by id or by owner in one transaction, with an audit entry for each. */
export async function bulkRevoke(
  changes: UnitOfWork,
  call: CallContext,
  input: BulkRevoke,
): Promise<CallResult<BulkRevocation>> {
  const workspaceId = authorizedWorkspaceId(call, input.workspaceId);
  const filter = filterOf(input);
  return changes.run(call, async (change) => {
    const matched = await lockKeys(change.tx, workspaceId, filter, MOST_KEYS + 1);
    if (matched.length > MOST_KEYS) throw new KeywardError('TOO_MANY_KEYS');
    const open = matched.filter((key) => !key.revokedAt);
    if (input.dryRun !== true) {
      const why = { revokeReason: input.reason ?? null, revokeNote: input.note ?? null };
      const changed = { ...revocation(call, change.at), ...why, updatedAt: change.at };
      const before = new Map(open.map((key) => [key.id, key]));
      for (const key of await updateKeys(change.tx, [...before.keys()], changed)) {
        const difference = keyDifference(before.get(key.id) ?? null, key);
        change.audit({ ...keyTarget(key, 'revoked'), ...difference });
      }
    }
    return { body: report(input, matched, open) };
  });
}

function filterOf({ ids, ownerId }: BulkRevoke): { ids: string[] } | { ownerId: string } {
  if (ids !== undefined && ownerId === undefined) return { ids };
  if (ids === undefined && ownerId !== undefined) return { ownerId };
  throw invalidField('/body', 'give either `ids` or `ownerId`');
}

function report(input: BulkRevoke, matched: KeyRow[], open: KeyRow[]): BulkRevocation {
  const found = new Set(matched.map(({ id }) => id));
  return {
    dryRun: input.dryRun === true,
    matched: matched.length,
    alreadyRevoked: matched.length - open.length,
    revoked: open.length,
    keyIds: open.map(({ id }) => id),
    missingIds: (input.ids ?? []).filter((id) => !found.has(id)),
  };
}
