import type { TestProject } from 'vitest/node';
import { prepareTemplate } from './database.ts';
import { startTestPostgres } from './postgres-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's connection to the server of this test run. */
    postgresUrl: string;
  }
}

/** One Postgres for the whole run, with a migrated template that test files copy. */
export default async function setup(project: TestProject) {
  const server = await startTestPostgres();
  await prepareTemplate(server.url);
  project.provide('postgresUrl', server.url);
  return server.stop;
}
