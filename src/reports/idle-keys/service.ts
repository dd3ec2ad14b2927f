import { isDeepStrictEqual } from 'node:util';
import { authorizedWorkspaceId, type CallContext } from '../../call-context.ts';
import type { Orm } from '../../db/database.ts';
import {
  DEFAULT_IDLE_POLICY,
  type IdlePolicy,
  idleSteps,
  stepTooSoon,
} from '../../domain/idle-policy.ts';
import { toIso } from '../../domain/time.ts';
import { invalidField } from '../../errors.ts';
import { listName, readPage } from '../../http/page.ts';
import { policyInForce, toIdleKey } from '../../idle-policy/idle-key.ts';
import { readWarnings } from '../../idle-policy/store.ts';
import { readPolicies, type WorkspacePolicies } from '../../keys/workspace-policies.ts';
import type { Clock } from '../../lib/clock.ts';
import type { IdleKey, IdleKeyPage, IdleKeysQuery } from './schemas.ts';
import { positionOf, readUnused, type UnusedRow } from './unused.ts';

const DAY_MS = 86_400_000;

/** Says what an idle policy does, by the same functions as what does it. */
export class IdleKeysService {
  readonly #orm: Orm;
  readonly #clock: Clock;

  constructor(orm: Orm, clock: Clock) {
    this.#orm = orm;
    this.#clock = clock;
  }

  async list(call: CallContext, query: IdleKeysQuery): Promise<IdleKeyPage> {
    const now = this.#clock.date();
    const workspace = await readPolicies(this.#orm, authorizedWorkspaceId(call, query.workspaceId));
    const policy = policyOf(workspace, query);
    const { rows, nextCursor } = await this.#page(query, workspace, policy, now);
    const data = await this.#present(rows, workspace, policy, now);
    return { asOf: toIso(now), workspaceId: workspace.id, policy, data, nextCursor };
  }

  async #page(
    query: IdleKeysQuery,
    { id: workspaceId }: WorkspacePolicies,
    { warnAfterDays }: IdlePolicy,
    now: Date,
  ) {
    if (warnAfterDays === null) return { rows: [], nextCursor: null };
    const before = now.getTime() - warnAfterDays * DAY_MS;
    const range = { workspaceId, before, now: now.getTime() };
    return readPage(query, {
      name: listName('idle-keys', query),
      read: (after, limit) => readUnused(this.#orm, range, after, limit),
      positionOf,
    });
  }

  async #present(
    rows: readonly UnusedRow[],
    workspace: WorkspacePolicies,
    policy: IdlePolicy,
    now: Date,
  ): Promise<IdleKey[]> {
    const ids = rows.map(({ id }) => id);
    const warnings = await readWarnings(this.#orm, workspace, ids);
    const isAsStored = isDeepStrictEqual(policy, policyInForce(workspace));
    // Another policy would be a change of the workspace.
    const workspaceChangedAt = isAsStored ? workspace.updatedAt : now;
    return rows.flatMap(({ record }): IdleKey[] => {
      const warnedAt = warnings.get(record.key.id) ?? null;
      const idle = toIdleKey(record, { warnedAt, workspaceChangedAt }, now);
      const steps = idle ? idleSteps(policy, idle, now) : [];
      if (!idle || steps.length === 0) return [];
      const { id, name, ownerId, enabled } = record.key;
      return [
        {
          ...{ id, name, ownerId, enabled },
          lastUsedAt: toIso(record.use.lastUsedAt),
          unusedSince: toIso(idle.unusedSince),
          warnedAt: toIso(warnedAt),
          steps: steps.map(({ step, at }) => ({ step, at: toIso(at) })),
        },
      ];
    });
  }
}

/** The policy of the workspace, with what the query says instead. */
function policyOf(workspace: WorkspacePolicies, query: IdleKeysQuery): IdlePolicy {
  const stored = workspace.idlePolicy ?? DEFAULT_IDLE_POLICY;
  const given = (days: number | undefined, own: number | null) =>
    days === undefined ? own : days || null;
  const idlePolicy = {
    warnAfterDays: given(query.warnAfterDays, stored.warnAfterDays),
    disableAfterDays: given(query.disableAfterDays, stored.disableAfterDays),
    revokeAfterDays: given(query.revokeAfterDays, stored.revokeAfterDays),
    noticeDays: query.noticeDays ?? stored.noticeDays,
  };
  const tooSoon = stepTooSoon(idlePolicy);
  if (tooSoon === null) return policyInForce({ ...workspace, idlePolicy });
  const detail = 'must be at least noticeDays after the step before it, and needs warnAfterDays';
  throw invalidField(`/query/${tooSoon}`, detail);
}
