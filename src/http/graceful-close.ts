import type { App } from './app-type.ts';

const SWEEP_MS = 20;

/**
 * Finishes the requests in flight, then closes. Fastify drops the connections that are idle when
 * the close begins; without the sweep, one that becomes idle later is kept until it times out.
 */
export async function closeApp(app: App): Promise<void> {
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
  await app.close().finally(() => clearInterval(sweep));
}
