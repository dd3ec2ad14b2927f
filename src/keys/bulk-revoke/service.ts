import {
  authorizedWorkspaceId,
  type CallContext,
  requirePermission,
  workspaceScope,
} from '../../call-context.ts';
import { type FieldError, invalidField, KeywardError } from '../../errors.ts';
import type { CallResult } from '../../http/reply.ts';
import type { Parsed } from '../../http/validation/parsers.ts';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.ts';
import { revokeKeys } from '../revocation.ts';
import { type KeyRow, lockKeys, type Scope } from '../store.ts';
import { readPolicies } from '../workspace-policies.ts';
import type { BulkRevocation, BulkRevoke } from './schemas.ts';

const MAX_KEYS = 10_000;

/** Ids that are valid, and what is wrong with the others. */
export type BulkRevokeInput = Omit<BulkRevoke, 'ids'> & { ids?: readonly Parsed<string>[] };

/** Revokes keys by id or by owner, all or nothing, with an audit entry for each. */
export class BulkRevokeService {
  readonly #unitOfWork: UnitOfWork;

  constructor(unitOfWork: UnitOfWork) {
    this.#unitOfWork = unitOfWork;
  }

  revoke(call: CallContext, input: BulkRevokeInput): Promise<CallResult<BulkRevocation>> {
    if (input.dryRun) requirePermission(call.caller, 'keys:read');
    const scope = scopeOf(call, input);
    const filter = filterOf(input);
    return this.#unitOfWork.run(call, async (write) => {
      if (scope !== null) await readPolicies(write.tx, scope);
      const matched = await lockKeys(write.tx, scope, filter, MAX_KEYS + 1);
      if (matched.length > MAX_KEYS) throw new KeywardError('TOO_MANY_KEYS');
      const { reason, note } = input;
      if (!input.dryRun) await revokeKeys(write, matched, { by: call.actor, reason, note });
      return { body: reportOf(input, matched) };
    });
  }
}

/** An owner is one of a workspace; an id is enough, as in every call by id. */
function scopeOf(call: CallContext, { ids, workspaceId }: BulkRevokeInput): Scope {
  return ids ? workspaceScope(call.caller, workspaceId) : authorizedWorkspaceId(call, workspaceId);
}

function filterOf({ ids, ownerId }: BulkRevokeInput): { ids: string[] } | { ownerId: string } {
  if (ids !== undefined && ownerId === undefined) return { ids: idsIn(ids) };
  if (ids === undefined && ownerId !== undefined) return { ownerId };
  throw invalidField('/body', 'give either `ids` or `ownerId`');
}

/** Each once, however often it is given. */
function idsIn(parsed: readonly Parsed<string>[]): string[] {
  return [...new Set(parsed.flatMap((it) => ('value' in it ? [it.value] : [])))];
}

function errorsIn(parsed: readonly Parsed<string>[]): FieldError[] {
  return parsed.flatMap((it, index) =>
    'errors' in it
      ? it.errors.map(({ pointer, detail }) => ({ pointer: `/ids/${index}${pointer}`, detail }))
      : [],
  );
}

/** `matched` are the keys as they were before. */
function reportOf(
  { ids = [], dryRun = false }: BulkRevokeInput,
  matched: KeyRow[],
): BulkRevocation {
  const active = matched.filter(({ revokedAt }) => !revokedAt).map(({ id }) => id);
  const revoked = dryRun ? [] : active;
  const found = new Set(matched.map(({ id }) => id));
  return {
    dryRun,
    matched: matched.length,
    alreadyRevoked: matched.length - active.length,
    revoked: revoked.length,
    keyIds: revoked,
    wouldRevoke: dryRun ? active.length : null,
    wouldRevokeIds: dryRun ? active : null,
    missingIds: idsIn(ids).filter((id) => !found.has(id)),
    errors: errorsIn(ids),
  };
}
