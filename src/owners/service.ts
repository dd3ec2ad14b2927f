import { authorizedWorkspaceId, type CallContext } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { noWorkspace } from '../errors.ts';
import type { CallResult } from '../http/reply.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import { workspaceExisted } from '../workspaces/store.ts';
import { eraseLastUsedFrom, findKeysOfOwner, type Owner } from './store.ts';

/** How many keys one transaction changes. */
const STEP = 500;

/** The keys that are left for the last step, and how many there are. */
interface Progress {
  last: string[];
  keys: number;
}

/** What is kept of the people behind the keys of an owner. */
export class OwnerService {
  readonly #orm: Orm;
  readonly #unitOfWork: UnitOfWork;

  constructor(orm: Orm, unitOfWork: UnitOfWork) {
    this.#orm = orm;
    this.#unitOfWork = unitOfWork;
  }

  /**
   * Erases from where the owner's keys were last used, in steps of a transaction each: usage that is written
   * waits for a step at most. What an error leaves undone, a repetition of the call does.
   */
  erasePersonalData(
    call: CallContext,
    ownerId: string,
    requested: string | undefined,
  ): Promise<CallResult<object>> {
    const workspaceId = authorizedWorkspaceId(call, requested);
    const owner = { workspaceId, ownerId, currentOnly: call.caller.workspaceId !== null };
    const prepare = () => this.#eraseAllButLast(call, owner);
    return this.#unitOfWork.runPrepared(call, prepare, async (write, { last, keys }) => {
      await eraseLastUsedFrom(write.tx, last, write.at);
      if (keys > 0) auditErasure(write, owner, keys);
      return { body: {} };
    });
  }

  async #eraseAllButLast(call: CallContext, owner: Owner): Promise<Progress> {
    if (!(await workspaceExisted(this.#orm, owner.workspaceId))) {
      throw noWorkspace(owner.workspaceId);
    }
    let keys = 0;
    for (let after = ''; ; ) {
      const ids = await findKeysOfOwner(this.#orm, owner, after, STEP);
      keys += ids.length;
      if (ids.length < STEP) return { last: ids, keys };
      await this.#unitOfWork.run({ ...call, idempotency: null }, async ({ tx, at }) => {
        await eraseLastUsedFrom(tx, ids, at);
        return { body: {} };
      });
      after = ids.at(-1) ?? after;
    }
  }
}

/** What was erased is in no log. */
function auditErasure(write: WriteContext, { workspaceId, ownerId }: Owner, keys: number): void {
  const target = { type: 'owner' as const, id: ownerId };
  const action = 'owner.personal_data_erased';
  write.audit({ workspaceId, action, target, before: null, after: { keys } });
}
