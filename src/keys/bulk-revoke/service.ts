import {
  authorizedWorkspaceId,
  type CallContext,
  requirePermission,
  workspaceScope,
} from '../../call-context.ts';
import type { Orm } from '../../db/database.ts';
import { type FieldError, invalidField, KeywardError } from '../../errors.ts';
import type { CallResult } from '../../http/reply.ts';
import type { Parsed } from '../../http/validation/parsers.ts';
import type { UnitOfWork, WriteContext } from '../../unit-of-work/unit-of-work.ts';
import { revokeKeys } from '../revocation.ts';
import { findChosenKeys, type KeyFilter, type KeyRow, lockKeys, type Scope } from '../store.ts';
import { readPolicies } from '../workspace-policies.ts';
import type { BulkRevocation, BulkRevoke } from './schemas.ts';

const MAX_KEYS = 10_000;
/** How many keys one transaction revokes. */
const STEP = 500;

/** Ids that are valid, and what is wrong with the others. */
export type BulkRevokeInput = Omit<BulkRevoke, 'ids'> & { ids?: readonly Parsed<string>[] };

/** A key that the filter chose, as it was before. */
type ChosenKey = Pick<KeyRow, 'id' | 'revokedAt'>;

/**
 * Revokes keys by id or by owner, with an audit entry for each, in steps of a transaction each: others
 * wait for a step at most. What an error leaves undone, a repetition of the call does.
 */
export class BulkRevokeService {
  readonly #orm: Orm;
  readonly #unitOfWork: UnitOfWork;

  constructor(orm: Orm, unitOfWork: UnitOfWork) {
    this.#orm = orm;
    this.#unitOfWork = unitOfWork;
  }

  /** The answer is stored with the last step, which is the only one of a small revocation. */
  revoke(call: CallContext, input: BulkRevokeInput): Promise<CallResult<BulkRevocation>> {
    if (input.dryRun) requirePermission(call.caller, 'keys:read');
    const scope = scopeOf(call, input);
    const filter = filterOf(input);
    const step = async (write: WriteContext, ids: readonly string[]): Promise<ChosenKey[]> => {
      const locked = await lockKeys(write.tx, scope, { ...filter, ids }, STEP);
      const { reason, note } = input;
      await revokeKeys(write, locked, { by: call.actor, reason, note });
      return locked.map(({ id, revokedAt }) => ({ id, revokedAt }));
    };
    const prepare = async () => {
      const chosen = await this.#choose(scope, filter);
      const steps = input.dryRun ? [] : inSteps(chosen.map(({ id }) => id));
      const last = steps.pop() ?? [];
      const done: ChosenKey[] = input.dryRun ? chosen : [];
      for (const ids of steps) done.push(...(await this.#runStep(call, step, ids)));
      return { done, last };
    };
    return this.#unitOfWork.runPrepared(call, prepare, async (write, { done, last }) => {
      const matched = last.length > 0 ? [...done, ...(await step(write, last))] : done;
      return { body: reportOf(input, matched) };
    });
  }

  async #choose(scope: Scope, filter: KeyFilter): Promise<ChosenKey[]> {
    if (scope !== null) await readPolicies(this.#orm, scope);
    const chosen = await findChosenKeys(this.#orm, scope, filter, MAX_KEYS + 1);
    if (chosen.length > MAX_KEYS) throw new KeywardError('TOO_MANY_KEYS');
    return chosen;
  }

  async #runStep(
    call: CallContext,
    step: (write: WriteContext, ids: readonly string[]) => Promise<ChosenKey[]>,
    ids: readonly string[],
  ): Promise<ChosenKey[]> {
    const { body } = await this.#unitOfWork.run({ ...call, idempotency: null }, async (write) => ({
      body: await step(write, ids),
    }));
    return body;
  }
}

function inSteps(ids: readonly string[]): string[][] {
  const count = Math.ceil(ids.length / STEP);
  return Array.from({ length: count }, (_, n) => ids.slice(n * STEP, (n + 1) * STEP));
}

/** An owner is one of a workspace; an id is enough, as in every call by id. */
function scopeOf(call: CallContext, { ids, workspaceId }: BulkRevokeInput): Scope {
  return ids ? workspaceScope(call.caller, workspaceId) : authorizedWorkspaceId(call, workspaceId);
}

function filterOf({ ids, ownerId }: BulkRevokeInput): KeyFilter {
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
  matched: readonly ChosenKey[],
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
