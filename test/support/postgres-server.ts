import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PostgreSqlContainer } from '@testcontainers/postgresql';
import { getContainerRuntimeClient } from 'testcontainers';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/postgres.ts';

interface TestPostgres {
  url: string;
  stop: () => Promise<void>;
}

/** Makes a test database fast, since nothing in it has to survive a crash. */
const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** A real Postgres: the given one, else a container if an engine answers, else the embedded one. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const given = process.env.TEST_DATABASE_URL;
  if (given) return { url: given, stop: () => Promise.resolve() };
  return (await hasContainerEngine()) ? startContainer() : startEmbedded();
}

async function hasContainerEngine(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

async function startContainer(): Promise<TestPostgres> {
  const flags = Object.entries(FAST).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const container = await new PostgreSqlContainer('postgres:18')
    .withCommand(['postgres', '-c', 'max_connections=300', ...flags])
    .start();
  return { url: container.getConnectionUri(), stop: () => container.stop().then(() => undefined) };
}

async function startEmbedded(): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-test-'));
  const postgres = await startEmbeddedPostgres({
    directory: join(folder, 'postgres'),
    durable: false,
    settings: { max_connections: '300' },
  });
  const stop = async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return { url: postgres.url, stop };
}
