import { sql } from 'drizzle-orm';
import { appendAudit } from '../audit/append.ts';
import type { AuditEntry, AuditOrigin } from '../audit/chain.ts';
import type { Idempotency } from '../call-context.ts';
import type { Orm, Transaction } from '../db/database.ts';
import { isRetryable } from '../db/errors.ts';
import type { Caller } from '../domain/caller.ts';
import type { Pepper } from '../domain/pepper.ts';
import type { Clock } from '../lib/clock.ts';
import { requireInForce } from './caller-in-force.ts';
import {
  claimIdempotencyKey,
  findAnswer,
  storeAnswer,
  type WriteResult,
} from './idempotency-store.ts';

const ATTEMPTS = 3;
const STATEMENT_TIMEOUT_MS = 10_000;

/** What a use case works with while it changes something. */
export interface WriteContext {
  tx: Transaction;
  /** The time of the change, by the database's clock. */
  at: Date;
  /** Adds an audit entry, which commits with the change or not at all. */
  audit: (entry: AuditEntry) => void;
}

/** The call that asks for a change. */
export interface WriteCall extends AuditOrigin {
  caller: Pick<Caller, 'id'>;
  idempotency: Idempotency | null;
}

/** A result, or the stored one of an earlier call with the same Idempotency-Key. */
export type Replayable<Result> = Result & { replayed: boolean };

/**
 * Every change goes through here: one transaction, durable before it is acknowledged, made once
 * for each Idempotency-Key, with its audit entries as the last rows that it writes.
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

  /** `work` runs again after a deadlock, so it must have no effect outside its transaction. */
  async run<Result extends WriteResult>(
    call: WriteCall,
    work: (write: WriteContext) => Promise<Result>,
  ): Promise<Replayable<Result>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(call, work);
      } catch (error) {
        if (attempt === ATTEMPTS || !isRetryable(error)) throw error;
      }
    }
  }

  /** With costly preparation outside the transaction, which a repeated call does not pay. */
  async runPrepared<Prepared, Result extends WriteResult>(
    call: WriteCall,
    prepare: () => Promise<Prepared>,
    work: (write: WriteContext, prepared: Prepared) => Promise<Result>,
  ): Promise<Replayable<Result>> {
    const { caller, idempotency } = call;
    const earlier = idempotency && (await findAnswer<Result>(this.#orm, caller.id, idempotency));
    if (earlier) return { ...earlier, replayed: true };
    const prepared = await prepare();
    return this.run(call, (write) => work(write, prepared));
  }

  #attempt<Result extends WriteResult>(
    call: WriteCall,
    work: (write: WriteContext) => Promise<Result>,
  ): Promise<Replayable<Result>> {
    const { caller, idempotency } = call;
    return this.#orm.transaction(async (tx) => {
      await makeDurable(tx);
      const earlier =
        idempotency && (await claimIdempotencyKey<Result>(tx, caller.id, idempotency));
      if (earlier) return { ...earlier, replayed: true };
      const at = this.#clock.date();
      const entries: AuditEntry[] = [];
      const result = await work({ tx, at, audit: (entry) => entries.push(entry) });
      if (idempotency) await storeAnswer(tx, caller.id, idempotency, result, at);
      await appendAudit(tx, entries, call, at, this.#pepper);
      await requireInForce(tx, caller.id);
      return { ...result, replayed: false };
    });
  }
}

/** What is acknowledged survives a crash, whatever the server's default; `remote_apply` is kept. */
async function makeDurable(tx: Transaction): Promise<void> {
  await tx.execute(sql`
    select set_config('statement_timeout', ${String(STATEMENT_TIMEOUT_MS)}, true),
           set_config('synchronous_commit',
                      case when current_setting('synchronous_commit') = 'remote_apply'
                           then 'remote_apply' else 'on' end, true)`);
}
