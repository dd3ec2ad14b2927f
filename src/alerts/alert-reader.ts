import type { SQL } from 'drizzle-orm';
import type { Orm, Transaction } from '../db/database.ts';
import { planSettings } from '../db/plan-settings.ts';
import type { InTurn } from '../lib/fair-queue.ts';

const TIMEOUT_MS = 5000;

/** Reads for the job: each in its turn, in one snapshot, by indexes and for a bounded time. */
export class AlertReader {
  readonly #orm: Orm;
  readonly #inTurn: InTurn;

  constructor(orm: Orm, inTurn: InTurn) {
    this.#orm = orm;
    this.#inTurn = inTurn;
  }

  run<T>(read: (tx: Transaction) => Promise<T>): Promise<T> {
    const work = async (tx: Transaction) => {
      await tx.execute(planSettings(TIMEOUT_MS));
      return read(tx);
    };
    return this.#inTurn(() => this.#orm.transaction(work, { accessMode: 'read only' }));
  }

  readonly query = <Row extends Record<string, unknown>>(statement: SQL) =>
    this.run(async (tx) => (await tx.execute<Row>(statement)).rows);
}
