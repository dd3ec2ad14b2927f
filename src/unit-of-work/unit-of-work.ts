import { sql } from 'drizzle-orm';
import { type AuditEntry, type AuditOrigin, appendAudit } from '../audit/chain.ts';
import type { Idempotency } from '../call-context.ts';
import type { Pepper } from '../credentials/pepper.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { isRetryable } from '../db/errors.ts';
import type { Caller } from '../domain/caller.ts';
import type { Clock } from '../lib/clock.ts';
import {
  claimIdempotencyKey,
  replayEarlier,
  storeAnswer,
  type WriteResult,
} from './idempotency.ts';

const ATTEMPTS = 3;
const STATEMENT_TIMEOUT_MS = 10_000;

/** What a use case works with while it changes something. */
export interface WriteContext {
  tx: Transaction;
  /** The time of the change, by the database's clock. */
  at: Date;
  /** Puts an entry on the record; it commits with the change or not at all. */
  audit: (entry: AuditEntry) => void;
}

/** The call that asks for a change. */
export interface WriteCall extends AuditOrigin {
  caller: Pick<Caller, 'id'>;
  idempotency: Idempotency | null;
}

/**
 * Every change goes through here: one transaction, durable before it is acknowledged, made once
 * for each Idempotency-Key, with its audit entries as the last statements.
 */
export class UnitOfWork {
  readonly #orm: Orm;
  readonly #clock: Clock;
  readonly #pepper: Pepper | null;

  constructor(orm: Orm, clock: Clock, pepper: Pepper | null) {
    this.#orm = orm;
    this.#clock = clock;
    this.#pepper = pepper;
  }

  /** For use cases that prepare at some cost: a repetition is answered before they do. */
  async replay({ caller, idempotency }: WriteCall): Promise<void> {
    if (idempotency) await replayEarlier(this.#orm, caller.id, idempotency);
  }

  /** `work` may run again after a deadlock, so it must do nothing outside its transaction. */
  async run<T extends WriteResult>(
    call: WriteCall,
    work: (change: WriteContext) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(call, work);
      } catch (error) {
        if (attempt === ATTEMPTS || !isRetryable(error)) throw error;
      }
    }
  }

  #attempt<T extends WriteResult>(
    call: WriteCall,
    work: (change: WriteContext) => Promise<T>,
  ): Promise<T> {
    const { caller, idempotency } = call;
    return this.#orm.transaction(async (tx) => {
      await makeDurable(tx);
      if (idempotency) await claimIdempotencyKey(tx, caller.id, idempotency);
      const at = this.#clock.date();
      const entries: AuditEntry[] = [];
      const outcome = await work({ tx, at, audit: (entry) => entries.push(entry) });
      if (idempotency) await storeAnswer(tx, caller.id, idempotency, outcome, at);
      await appendAudit(tx, entries, call, at, this.#pepper);
      return outcome;
    });
  }
}

/** What is acknowledged must survive a crash, whatever the server's default; never less than it. */
async function makeDurable(tx: Transaction): Promise<void> {
  await tx.execute(sql`
    select set_config('statement_timeout', ${String(STATEMENT_TIMEOUT_MS)}, true),
           set_config('synchronous_commit',
                      case when current_setting('synchronous_commit') = 'remote_apply'
                           then 'remote_apply' else 'on' end, true)`);
}
