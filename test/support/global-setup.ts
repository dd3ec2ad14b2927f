import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { prepareTemplate } from './database.ts';
import { type PgBouncer, startPgBouncer } from './pgbouncer.ts';
import { startTestPostgres } from './postgres-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL of the server of this test run, as a superuser. */
    postgresUrl: string;
    /** A folder that is removed when the run ends. */
    scratchFolder: string;
    /** The PgBouncer through which instances reach that server, if there is one. */
    pgbouncer: PgBouncer | null;
  }
}

/** Starts one Postgres for the whole run, with a migrated template that test files copy. */
export default async function setup(project: TestProject) {
  const server = await startTestPostgres();
  await prepareTemplate(server.url);
  project.provide('postgresUrl', server.url);
  const scratch = await mkdtemp(join(await realpath(tmpdir()), 'keyward-scratch-'));
  project.provide('scratchFolder', scratch);
  const front = process.env.KEYWARD_TEST_PGBOUNCER ? await startPgBouncer(server.url) : null;
  project.provide('pgbouncer', front?.pgbouncer ?? null);
  return async () => {
    await front?.stop();
    await server.stop();
    await rm(scratch, { recursive: true, force: true });
  };
}
