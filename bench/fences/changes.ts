import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

const CONNECTIONS = 16;
const SETTLE_MS = 50;

/** Changes of keys at an even rate, each a commit of its own that the feed names. */
export class Changes {
  readonly #clients: readonly pg.Client[];
  readonly #ids: readonly string[];
  #made = 0;

  private constructor(clients: readonly pg.Client[], ids: readonly string[]) {
    this.#clients = clients;
    this.#ids = ids;
  }

  static async open(databaseUrl: string, ids: readonly string[]): Promise<Changes> {
    const clients = Array.from(
      { length: CONNECTIONS },
      () => new pg.Client({ connectionString: databaseUrl, application_name: 'changes' }),
    );
    await Promise.all(clients.map((client) => client.connect()));
    return new Changes(clients, ids);
  }

  /** Makes them while the work is under way; returns how many a second were made as well. */
  async during<T>(
    perSecond: number,
    work: () => Promise<T>,
  ): Promise<{ result: T; perSecond: number }> {
    const stop = new AbortController();
    const made =
      perSecond === 0 ? [] : this.#clients.map((one) => this.#repeat(one, perSecond, stop.signal));
    await delay(SETTLE_MS);
    const [before, begunAt] = [this.#made, performance.now()];
    try {
      const result = await work();
      const seconds = (performance.now() - begunAt) / 1000;
      return { result, perSecond: (this.#made - before) / seconds };
    } finally {
      stop.abort();
      await Promise.all(made);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()));
  }

  async #repeat(client: pg.Client, perSecond: number, stop: AbortSignal): Promise<void> {
    const gapMs = (1000 * CONNECTIONS) / perSecond;
    for (let due = performance.now() + Math.random() * gapMs; !stop.aborted; due += gapMs) {
      await delay(Math.max(0, due - performance.now()));
      const id = this.#ids[Math.floor(Math.random() * this.#ids.length)];
      await client.query({
        name: 'change',
        text: 'update keys set enabled = true where id = $1',
        values: [id],
      });
      this.#made++;
    }
  }
}
