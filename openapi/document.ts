import { type AppDependencies, buildApp } from '../src/app.ts';
import { UnsentAnswers } from '../src/http/unsent-answers.ts';
import { FairQueue } from '../src/lib/fair-queue.ts';
import { createLogger } from '../src/lib/logger.ts';
import { heapLimit, memoryBudget } from '../src/lib/memory-budget.ts';
import { SharedBound } from '../src/lib/shared-bound.ts';

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
    management: {
      places: 1,
      queue: new FairQueue({ places: 1, maxWaitingEach: 0, maxWaiting: 0, reason: 'management' }),
    },
    memory: memoryBudget(heapLimit()),
    batchItems: new SharedBound(1),
    unsent: new UnsentAnswers(1),
    resourceLimits: [],
    metrics: [],
    registerTracing: undefined,
  };
  return Object.assign(Object.create(null), needed);
}
