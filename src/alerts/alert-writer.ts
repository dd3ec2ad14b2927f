import type { Actor } from '../domain/caller.ts';
import type { InTurn } from '../lib/fair-queue.ts';
import { systemCall } from '../unit-of-work/system-call.ts';
import type { UnitOfWork, WriteContext } from '../unit-of-work/unit-of-work.ts';
import { lockWorkspace } from '../workspaces/store.ts';
import type { Check } from './checks.ts';
import type { Condition, Found } from './condition.ts';
import { causeToOpen } from './findings.ts';
import { endAlerts, endSilently, openAlert } from './store.ts';
import type { Watched } from './watched.ts';

const ACTOR: Actor = { type: 'system', id: 'alerts', onBehalfOf: null };
/** Alerts in one transaction, during which the log of their workspace is locked at the end. */
const PART = 50;

/** Another instance has taken over the check: this one was too slow. */
export class CheckLostError extends Error {
  override name = 'CheckLostError';
}

/** Writes what the job has found. */
export class AlertWriter {
  readonly #unitOfWork: UnitOfWork;
  readonly #inTurn: InTurn;

  constructor(unitOfWork: UnitOfWork, inTurn: InTurn) {
    this.#unitOfWork = unitOfWork;
    this.#inTurn = inTurn;
  }

  /** Returns how many have opened: none in a workspace that has another tenant meanwhile. */
  open(
    check: Check,
    condition: Condition,
    workspace: Watched,
    fresh: readonly Found[],
  ): Promise<number> {
    const { type } = condition;
    const { id: workspaceId, createdAt } = workspace;
    return this.#inParts(check, fresh, async (write, part) => {
      const row = await lockWorkspace(write.tx, workspaceId, 'key share');
      if (row?.deletedAt !== null || row.createdAt > createdAt) return 0;
      let opened = 0;
      for (const found of part) {
        const cause = causeToOpen(condition, found, write.at);
        if (await openAlert(write, { ...found, cause, type, workspaceId })) opened++;
      }
      return opened;
    });
  }

  end(check: Check, ids: readonly string[]): Promise<number> {
    return this.#inParts(check, ids, endAlerts);
  }

  endSilently(check: Check, ids: readonly string[]): Promise<number> {
    return this.#inParts(
      check,
      ids,
      async (write, part) => (await endSilently(write, part)).length,
    );
  }

  async #inParts<T>(
    check: Check,
    all: readonly T[],
    work: (write: WriteContext, part: T[]) => Promise<number>,
  ): Promise<number> {
    let done = 0;
    for (let from = 0; from < all.length; from += PART) {
      const part = all.slice(from, from + PART);
      done += await this.#inTurn(() => this.#write(check, (write) => work(write, part)));
    }
    return done;
  }

  async #write(check: Check, work: (write: WriteContext) => Promise<number>): Promise<number> {
    const { body } = await this.#unitOfWork.run(systemCall(ACTOR), async (write) => {
      if (!(await check.isMine(write.tx))) throw new CheckLostError();
      return { body: { done: await work(write) } };
    });
    return body.done;
  }
}
