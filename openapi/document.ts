import { type AppDependencies, buildApp } from '../src/app.ts';
import { createLogger } from '../src/lib/logger.ts';

/** The OpenAPI document as the routes describe themselves. Needs no database: nothing is called. */
export async function openapiDocument(): Promise<object> {
  const app = await buildApp(standIns());
  await app.ready();
  const document = app.swagger();
  await app.close();
  return document;
}

/** Routes keep their services for later and use none to describe themselves. */
function standIns(): AppDependencies {
  const needed = {
    log: createLogger('silent'),
    readiness: {},
    keys: {},
    maxInFlight: 1,
    maxConnectionsPerAddress: 1,
    resourceLimits: [],
    operationCounters: [],
  };
  return Object.assign(Object.create(null), needed);
}
