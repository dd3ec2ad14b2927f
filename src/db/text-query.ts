import type pg from 'pg';

declare module 'pg' {
  interface Connection {
    /** The texts of the statements that this connection has prepared, by name. */
    readonly parsedStatements: Readonly<Record<string, string | undefined>>;
  }
}

/** The columns of a row as Postgres writes them. */
export type TextRow = readonly (string | null)[];

type Callback = (error: Error | null, rows: TextRow[]) => void;

/**
 * Sends a statement without values, and reads its rows as text: neither columns nor types are
 * asked for, and no result is built. Errors, time-outs and lost connections are those of pg's client.
 */
export function queryText(
  client: pg.ClientBase,
  text: string,
  name: string | undefined,
): Promise<TextRow[]> {
  return new Promise((resolve, reject) => {
    const callback: Callback = (error, rows) => (error ? reject(error) : resolve(rows));
    client.query(new TextQuery(text, name, callback));
  });
}

/** What pg's client calls of a query, as far as a statement that only selects needs it. */
class TextQuery implements pg.Submittable {
  readonly text: string;
  readonly name: string | undefined;
  /** The client replaces it, to end its time-out. */
  callback: Callback;
  readonly #rows: TextRow[] = [];

  constructor(text: string, name: string | undefined, callback: Callback) {
    this.text = text;
    this.name = name;
    this.callback = callback;
  }

  submit(connection: pg.Connection): void {
    if (this.name === undefined) connection.query(this.text);
    else this.#execute(connection, this.name);
  }

  /** In one write. */
  #execute(connection: pg.Connection, name: string): void {
    connection.stream.cork();
    if (connection.parsedStatements[name] !== this.text) {
      connection.parse({ name, text: this.text, types: [] }, true);
    }
    connection.bind({ statement: name }, true);
    connection.execute({}, true);
    connection.sync();
    connection.stream.uncork();
  }

  handleRowDescription(): void {}

  handleDataRow({ fields }: { fields: TextRow }): void {
    this.#rows.push(fields);
  }

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.callback(error, []);
  }

  handleReadyForQuery(): void {
    this.callback(null, this.#rows);
  }
}
