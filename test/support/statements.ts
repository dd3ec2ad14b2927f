import type pg from 'pg';
import type { Database, Statement } from '../../src/db/database.ts';

/** What a test does to one kind of statement of the verification path; `send` asks Postgres. */
export type QueryInterceptor = <Row extends pg.QueryResultRow>(
  send: () => Promise<Row[]>,
  values: readonly unknown[],
) => Promise<Row[]>;

/** Puts a test between the service and its database, for statements of one name. */
export function interceptQuery(
  database: Database,
  name: string,
  interceptor: QueryInterceptor,
): () => void {
  const original = database.query;
  const send = original.bind(database);
  database.query = async <Row extends pg.QueryResultRow>(
    statement: Statement,
    values: unknown[],
  ): Promise<Row[]> => {
    if (statement.name !== name) return send<Row>(statement, values);
    return interceptor(() => send<Row>(statement, values), values);
  };
  return () => {
    database.query = original;
  };
}

/** The names of all statements that are sent, in order. */
export function recordStatements(database: Database): string[] {
  const names: string[] = [];
  const send = database.query.bind(database);
  database.query = <Row extends pg.QueryResultRow>(statement: Statement, values: unknown[]) => {
    names.push(statement.name);
    return send<Row>(statement, values);
  };
  return names;
}

export interface Decision {
  /** By the database's clock, in epoch milliseconds. */
  at: number;
  passed: boolean;
}

/** Says when the database decided what, for every verification that is sent to it. */
export function recordDecisions(database: Database, onDecision: (decided: Decision) => void): void {
  interceptQuery(database, 'consume_limits', async (send) => {
    const rows = await send();
    const { times, codes } = JSON.parse(String(rows[0]?.answer));
    codes.forEach((code: number, index: number) => {
      onDecision({ at: times[index], passed: code === 0 });
    });
    return rows;
  });
}
