import type { App } from './app-type.ts';

const SWEEP_MS = 20;

/**
 * Finishes what is under way and ends. Closing drops the connections that are idle by then; one
 * that becomes idle afterwards, with its last answer sent, would be waited for until it times out.
 */
export async function closeApp(app: App): Promise<void> {
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
  await app.close().finally(() => clearInterval(sweep));
}
