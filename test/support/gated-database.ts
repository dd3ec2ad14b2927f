import type pg from 'pg';
import { Database, type Statement } from '../../src/db/database.ts';
import { databaseSettings } from './instance.ts';

/** Before a statement is sent to Postgres, or after its answer has arrived. */
export type GatePoint = 'before' | 'after';

/** Holds one statement at one point. */
export interface Gate {
  /** Resolves when the statement has reached that point. */
  reached: Promise<void>;
  open: () => void;
}

interface PendingGate extends Gate {
  name: string;
  point: GatePoint;
  arrive: () => void;
  opened: Promise<void>;
}

/** The real database, where a test can hold statements of the verification path. */
export class GatedDatabase extends Database {
  readonly #gates: PendingGate[] = [];
  readonly #lossListeners: (() => void)[] = [];
  /** Statements in progress in Postgres. */
  running = 0;
  /** Called if no gate is set, so that a schedule can hold every statement. */
  pause: (name: string, point: GatePoint) => Promise<void> = () => Promise.resolve();

  static open(url: string): GatedDatabase {
    const { databaseUrl, preparedStatements } = databaseSettings(url);
    return new GatedDatabase({ url: databaseUrl, poolSize: 2, preparedStatements });
  }

  /** Holds the next statement of this name. */
  hold(name: string, point: GatePoint): Gate {
    const reached = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<void>();
    const gate = {
      name,
      point,
      reached: reached.promise,
      arrive: reached.resolve,
      opened: opened.promise,
      open: opened.resolve,
    };
    this.#gates.push(gate);
    return gate;
  }

  override onConnectionLoss(listener: () => void): void {
    super.onConnectionLoss(listener);
    this.#lossListeners.push(listener);
  }

  /** Reports a loss as its pools do, at this very moment; no connection of them is really lost. */
  reportLoss(): void {
    for (const listener of this.#lossListeners) listener();
  }

  override async query<Row extends pg.QueryResultRow>(
    statement: Statement,
    values: unknown[],
  ): Promise<Row[]> {
    await this.#waitAt(statement.name, 'before');
    this.running++;
    const rows = await super.query<Row>(statement, values).finally(() => this.running--);
    await this.#waitAt(statement.name, 'after');
    return rows;
  }

  #waitAt(name: string, point: GatePoint): Promise<void> {
    const index = this.#gates.findIndex((gate) => gate.name === name && gate.point === point);
    const [gate] = index < 0 ? [] : this.#gates.splice(index, 1);
    if (!gate) return this.pause(name, point);
    gate.arrive();
    return gate.opened;
  }
}
