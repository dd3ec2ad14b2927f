import type pg from 'pg';
import { onTestFinished } from 'vitest';
import type { Database, Statement } from '../../src/db/database.ts';

/** Replaces one kind of query of the verification path; `send` sends it to Postgres. */
export type QueryInterceptor = <Row extends pg.QueryResultRow>(
  send: () => Promise<Row[]>,
  values: readonly unknown[],
) => Promise<Row[]>;

/** Intercepts the queries of one name. Returns the function that ends it. */
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

/**
 * The names of all queries that are sent from now on, in order. A fence counts as one: whether it
 * sends a second statement depends on what other tests commit.
 */
export function recordStatements(database: Database): string[] {
  const names: string[] = [];
  observeStatements(database, (name) => {
    if (name !== 'read_changes') names.push(name);
  });
  return names;
}

/** As `recordStatements`, with both statements of a fence. */
export function recordEveryStatement(database: Database): string[] {
  const names: string[] = [];
  observeStatements(database, (name) => names.push(name));
  return names;
}

function observeStatements(database: Database, onStatement: (name: string) => void): void {
  const send = database.query.bind(database);
  database.query = <Row extends pg.QueryResultRow>(statement: Statement, values: unknown[]) => {
    onStatement(statement.name);
    return send<Row>(statement, values);
  };
}

export interface Decision {
  /** By the database's clock, in epoch milliseconds. */
  at: number;
  passed: boolean;
}

/** Reports each decision of the database on limits and credits. */
export function recordDecisions(
  database: Database,
  onDecision: (decision: Decision) => void,
): void {
  interceptQuery(database, 'consume_limits', async (send) => {
    const rows = await send();
    const { times, codes } = JSON.parse(String(rows[0]?.answer));
    codes.forEach((code: number, index: number) => {
      onDecision({ at: times[index], passed: code === 0 });
    });
    return rows;
  });
}

/** Fences wait until what it returns is called, or the test has ended. */
export function holdFences(database: Database): () => void {
  const gate = Promise.withResolvers<void>();
  const restore = interceptQuery(database, 'fence', async (send) => {
    await gate.promise;
    return send();
  });
  const release = () => {
    restore();
    gate.resolve();
  };
  onTestFinished(release);
  return release;
}
