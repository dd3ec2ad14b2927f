import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Postgres } from '../history/harness/server.ts';

const STANDBY = 'standby';
const POLL_MS = 20;

/** A primary that acknowledges nothing before its standby has it, unless it is asynchronous. */
export class PostgresPair {
  readonly isSynchronous: boolean;
  readonly #primary: Postgres;
  readonly #standby: Postgres;

  private constructor(primary: Postgres, standby: Postgres, isSynchronous: boolean) {
    this.isSynchronous = isSynchronous;
    this.#primary = primary;
    this.#standby = standby;
  }

  static async start(folder: string, isSynchronous: boolean): Promise<PostgresPair> {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    await copyStopped(first, second);
    const primary = await Postgres.start(first, {
      synchronous_standby_names: isSynchronous ? STANDBY : '',
    });
    const primary_conninfo = `${conninfo(primary.url)} application_name=${STANDBY}`;
    const standby = await Postgres.start(second, { primary_conninfo });
    await until(async () => {
      const rows = await primary.query<{ sync_state: string }>(
        `select sync_state from pg_stat_replication where state = 'streaming'`,
      );
      return rows[0]?.sync_state === (isSynchronous ? 'sync' : 'async');
    });
    return new PostgresPair(primary, standby, isSynchronous);
  }

  get primary(): Postgres {
    return this.#primary;
  }

  get standby(): Postgres {
    return this.#standby;
  }

  /** The standby takes writes from then on, and waits for no other server. */
  async promote(): Promise<void> {
    await this.#standby.query('select pg_promote(true, 60)');
    await until(async () => {
      const [row] = await this.#standby.query<{ is: boolean }>('select pg_is_in_recovery() as is');
      return row?.is === false;
    });
  }

  /** The standby first: the primary waits for it with every commit. */
  async shutDown(): Promise<void> {
    await this.#standby.shutDown();
    await this.#primary.shutDown();
  }
}

/** A new server, and a copy of its files that starts as a standby. */
async function copyStopped(first: string, second: string): Promise<void> {
  const run = promisify(execFile);
  const server = await Postgres.start(first);
  await server.stop();
  await run('mkdir', ['-p', join(second, 'postgres')]);
  await run('chmod', ['700', join(second, 'postgres')]);
  for (const part of ['data', 'password']) {
    await run('cp', ['-a', join(first, 'postgres', part), join(second, 'postgres')]);
  }
  await writeFile(join(second, 'postgres', 'data', 'standby.signal'), '');
}

function conninfo(text: string): string {
  const url = new URL(text);
  const host = url.searchParams.get('host') ?? url.hostname;
  return `host='${host}' port=${url.port} user=${url.username} password=${url.password}`;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; !(await holds()); turn++) {
    if (turn === 1500) throw new Error('the pair of servers did not get ready');
    await delay(POLL_MS);
  }
}
