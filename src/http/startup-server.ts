import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify from 'fastify';
import { KeywardError } from '../errors.ts';
import type { MemoryBudget } from '../lib/memory-budget.ts';
import { registerAnswerHeaders } from './answer-headers.ts';
import type { App } from './app-type.ts';
import { Connections, serverOptions } from './connections.ts';
import { registerErrorHandler } from './error-handler.ts';
import { healthRoutes } from './health.ts';
import { ShedRequests } from './shed-requests.ts';

/** Serves while the database is awaited: alive, not ready, and 503 for everything else. */
export async function startStartupServer({
  host,
  port,
  maxConnectionsPerAddress: maxPerAddress,
  memory: { connections: max },
}: {
  host: string;
  port: number;
  maxConnectionsPerAddress: number;
  memory: Pick<MemoryBudget, 'connections'>;
}): Promise<App> {
  const shed = new ShedRequests();
  const options = {
    // The wait for the database has lines of its own.
    logger: false,
    forceCloseConnections: true,
    ...serverOptions(new Connections({ max, maxPerAddress }, shed)),
  };
  const app = Fastify(options).withTypeProvider<TypeBoxTypeProvider>();
  registerErrorHandler(app, shed);
  registerAnswerHeaders(app);
  healthRoutes(app, { database: () => Promise.resolve('waiting') }, () => performance.now());
  app.all('/*', () => {
    throw new KeywardError('UNAVAILABLE', 'Keyward is starting and waits for its database.');
  });
  await app.listen({ host, port });
  return app;
}
