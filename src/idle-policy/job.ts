import type { Orm } from '../db/database.ts';
import type { InTurn } from '../lib/fair-queue.ts';
import type { Log } from '../lib/log-events.ts';
import { UNSTOPPED } from '../lib/periodic-task.ts';
import { systemCall } from '../unit-of-work/system-call.ts';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.ts';
import { ACTOR, applyPolicy, type StepResult } from './step.ts';
import { findWorkspacesWithSteps } from './store.ts';

/** Where uses wait longer than that to be counted, a key may be in use without a sign of it. */
const MAX_WAITING_MS = 30_000;

export interface IdlePolicyOptions {
  orm: Orm;
  unitOfWork: UnitOfWork;
  log: Log;
  fold: { readonly waitingMs: number };
  inTurn: InTurn;
}

/**
 * Disables and revokes keys that nobody uses, as their workspaces want it. Every instance looks, and one at a
 * time works, in steps that are a transaction each. An interrupted run is done again by the next one.
 */
export class IdlePolicyJob {
  readonly #options: IdlePolicyOptions;

  constructor(options: IdlePolicyOptions) {
    this.#options = options;
  }

  /** Stopping, it finishes the step in progress. Never rejects. */
  async run(stopping = UNSTOPPED): Promise<void> {
    const { orm, inTurn } = this.#options;
    await this.#try(async () => {
      for (let ids = ['']; ids.length > 0 && !stopping.aborted; ) {
        const after = ids.at(-1) ?? '';
        ids = await inTurn(() => findWorkspacesWithSteps(orm, after));
        for (const id of ids) await this.#try(() => this.#walk(id, stopping));
      }
    });
  }

  async #walk(workspaceId: string, stopping: AbortSignal): Promise<void> {
    const { fold, inTurn } = this.#options;
    for (let after: string | null = ''; after !== null && !stopping.aborted; ) {
      if (fold.waitingMs > MAX_WAITING_MS) return;
      const from: string = after;
      const { next, disabled, revoked } = await inTurn(() => this.#step(workspaceId, from));
      after = next;
      if (disabled + revoked === 0) continue;
      const fields = { event: 'idle_policy.applied', workspaceId, disabled, revoked } as const;
      this.#options.log.info(fields, 'keys that nobody uses were disabled or revoked');
    }
  }

  async #step(workspaceId: string, after: string): Promise<StepResult> {
    const { body } = await this.#options.unitOfWork.run(systemCall(ACTOR), async (write) => {
      return { body: await applyPolicy(write, workspaceId, after) };
    });
    return body;
  }

  /** A workspace that fails keeps no other from its turn. */
  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (err) {
      const event = 'idle_policy.failed';
      this.#options.log.warn({ event, err }, 'an idle policy was not applied, will retry');
    }
  }
}
