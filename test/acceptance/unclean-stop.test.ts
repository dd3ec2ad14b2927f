import { expect, it } from 'vitest';
import { clientOf, createKey, verdictOf } from '../support/client.ts';
import { createTestDatabase } from '../support/database.ts';
import { startProgram } from '../support/program.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const ROOT_KEY = 'a-root-key-for-unclean-stops-0000000';

async function startBehindProxy() {
  const database = await createTestDatabase();
  const proxy = await TcpProxy.open(database.url);
  const program = await startProgram({
    DATABASE_URL: proxy.url,
    KEYWARD_ROOT_KEY: ROOT_KEY,
    KEYWARD_USAGE_FLUSH_MS: '60000',
    KEYWARD_SHUTDOWN_SECONDS: '5',
  });
  return { proxy, program, client: clientOf(program.url, ROOT_KEY) };
}

it('a SIGTERM whose counters cannot be written in time ends the program with exit code 1', {
  timeout: 60_000,
}, async () => {
  const { proxy, program, client } = await startBehindProxy();
  const { key } = await createKey(client, 'counted');
  expect(await verdictOf(client, key)).toBe('VALID');
  proxy.cut();
  expect(await program.end('SIGTERM')).toEqual({ code: 1, signal: null });
});
