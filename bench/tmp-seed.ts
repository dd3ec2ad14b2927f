import { writeFileSync } from 'node:fs';
import pg from 'pg';
import { migrate } from '../src/db/migrate.ts';
import { startEmbeddedPostgres } from '../src/embedded-postgres/postgres.ts';
import { seedStore } from './usage/seed.ts';
const postgres = await startEmbeddedPostgres({ directory: '/tmp/kwbig/pg', durable: false, settings: { max_wal_size: '4GB' } });
writeFileSync('/tmp/kwbig/url', postgres.url);
process.on('SIGTERM', () => void postgres.stop().then(() => process.exit()));
await migrate(postgres.url);
const client = new pg.Client({ connectionString: postgres.url });
await client.connect();
if (process.argv[2] === 'seed') {
  const t = performance.now();
  const env = { query: async (text: string, values: unknown[] = []) => (await client.query(text, values)).rows } as never;
  await seedStore(env, { keys: 1_000_000, active: 100_000, workspaces: 10, days: 90, hourDays: 3 });
  console.log('seeded', (performance.now() - t) / 1000);
}
