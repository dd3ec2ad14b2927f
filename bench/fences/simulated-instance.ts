import type pg from 'pg';
import { Database, type Statement, type TextStatement } from '../../src/db/database.ts';
import { Fence } from '../../src/freshness/fence.ts';
import { Clock } from '../../src/lib/clock.ts';

const PROBE = 'fence';
const READ_CHANGES = 'read_changes';

/** The program's own fence on a connection of its own, as each instance has one. */
export class SimulatedInstance {
  readonly database: TimedDatabase;
  readonly fence: Fence;

  constructor(url: string) {
    this.database = new TimedDatabase({ url, poolSize: 1, preparedStatements: true });
    this.fence = new Fence(this.database, new Clock());
  }
}

/** Times each fence from its first statement to the answer to its last one. */
class TimedDatabase extends Database {
  millis: number[] = [];
  /** Fences that had to read the feed. */
  full = 0;
  #begunAt = 0;

  override async query<Row extends pg.QueryResultRow>(
    statement: Statement | TextStatement<Row>,
    values: unknown[],
  ): Promise<Row[]> {
    if (statement.name === PROBE) this.#begunAt = performance.now();
    const rows = await super.query(statement, values);
    const took = performance.now() - this.#begunAt;
    if (statement.name === PROBE) this.millis.push(took);
    if (statement.name === READ_CHANGES) {
      this.full++;
      this.millis.pop();
      this.millis.push(took);
    }
    return rows;
  }

  forget(): void {
    this.millis = [];
    this.full = 0;
  }
}
