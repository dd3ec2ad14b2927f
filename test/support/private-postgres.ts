import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/postgres.ts';
import { dataFolder } from './data-folder.ts';
import { putPgBouncerBefore } from './pgbouncer.ts';

/** A Postgres for one test, which can be crashed, stopped and started. */
export interface PrivatePostgres {
  url: string;
  stop: () => Promise<void>;
  /** Starts it after a stop, at the same URL. */
  start: () => Promise<void>;
  /** Starts it after a stop, as a standby without a primary. */
  startAsReplica: () => Promise<void>;
}

/** Migrated; removed when the test ends. */
export async function startPrivatePostgres(
  settings: Record<string, string> = {},
): Promise<PrivatePostgres> {
  const directory = join(await dataFolder(), 'postgres');
  const launch = () => startEmbeddedPostgres({ directory, durable: false, settings });
  let server = await launch();
  onTestFinished(() => server.stop());
  const start = async () => {
    server = await launch();
  };
  if (inject('pgbouncer')) onTestFinished(await putPgBouncerBefore(server.url));
  return {
    url: server.url,
    stop: () => server.stop(),
    start,
    startAsReplica: async () => {
      await writeFile(join(directory, 'data', 'standby.signal'), '');
      await start();
    },
  };
}
