import type { Orm } from '../db/database.ts';
import type { Actor } from '../domain/caller.ts';
import type { InTurn } from '../lib/fair-queue.ts';
import type { Log } from '../lib/log-events.ts';
import { UNSTOPPED } from '../lib/periodic-task.ts';
import { systemCall } from '../unit-of-work/system-call.ts';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.ts';
import { endKeysOfWorkspace, findWorkspaceToEmpty, type WorkspaceToEmpty } from './store.ts';

const ACTOR: Actor = { type: 'system', id: 'workspace-deletion', onBehalfOf: null };

/**
 * Ends the keys of deleted workspaces, many of which a deletion leaves to be ended later. That their
 * workspace is deleted has made them invalid already. Each step is a transaction of its own, so an
 * interrupted run is continued by the next one, on any instance.
 */
export class DeletedWorkspaces {
  readonly #orm: Orm;
  readonly #unitOfWork: UnitOfWork;
  readonly #log: Log;
  readonly #inTurn: InTurn;

  constructor(orm: Orm, unitOfWork: UnitOfWork, log: Log, inTurn: InTurn) {
    this.#orm = orm;
    this.#unitOfWork = unitOfWork;
    this.#log = log;
    this.#inTurn = inTurn;
  }

  /** Runs until no key is left; stopping, until the step in progress is finished. Never rejects. */
  async endKeys(stopping = UNSTOPPED): Promise<void> {
    try {
      for (let more = true; more && !stopping.aborted; )
        more = await this.#inTurn(() => this.#step());
    } catch (err) {
      const event = 'workspace.keys_not_ended';
      this.#log.warn({ event, err }, 'keys of a deleted workspace were not ended yet, will retry');
    }
  }

  /** False if nothing is left, or what is left is locked at the moment. */
  async #step(): Promise<boolean> {
    const workspace = await findWorkspaceToEmpty(this.#orm);
    return workspace !== null && (await this.#empty(workspace)) > 0;
  }

  async #empty({ id, deletedAt }: WorkspaceToEmpty): Promise<number> {
    const { body } = await this.#unitOfWork.run(systemCall(ACTOR), async ({ tx }) => {
      return { body: { ended: await endKeysOfWorkspace(tx, id, ACTOR, deletedAt) } };
    });
    return body.ended;
  }
}
