import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { readConfig } from '../../src/config.ts';
import { migrate } from '../../src/db/migrate.ts';
import { Pepper } from '../../src/domain/pepper.ts';
import { createService, type Service } from '../../src/service.ts';
import { ROOT_KEY, SECRET } from '../harness/env.ts';
import { type SampledKey, seedKeys } from '../seed.ts';

/** The number of keys in use, if there are that many. */
const SAMPLE = 8000;
const TABLES = ['keys', 'secrets', 'secret_proofs', 'key_usage', 'secret_usage', 'usage_recent'];

/** A Keyward on its own database with a given number of keys. */
export interface Installation {
  keys: number;
  databaseUrl: string;
  /** The start of one of its keys, as lists show it. */
  start: string;
  service: Service;
  client: pg.Client;
  sample: SampledKey[];
  seedSeconds: number;
  call: (method: 'GET' | 'POST', url: string, body?: object) => Promise<string>;
  close: () => Promise<void>;
}

/** Seeds a database of the server, unless an earlier run has left it in the folder. */
export async function install(
  serverUrl: string,
  directory: string,
  keys: number,
): Promise<Installation> {
  const url = databaseUrl(serverUrl, `keys_${keys}`);
  const file = join(directory, `seeded-${keys}.json`);
  const seeded = (await read(file)) ?? (await seed(serverUrl, url, keys));
  await writeFile(file, JSON.stringify(seeded), { mode: 0o600 });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ start: string }>('select start from secrets limit 1');
  const service = await startService(url);
  return {
    keys,
    databaseUrl: url,
    start: rows[0]?.start ?? '',
    service,
    client,
    ...seeded,
    call: (method, path, body) => call(service, method, path, body),
    close: async () => {
      await client.end();
      await service.stop();
    },
  };
}

type Seeded = Pick<Installation, 'sample' | 'seedSeconds'>;

async function read(file: string): Promise<Seeded | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  return text === null ? null : JSON.parse(text);
}

async function seed(serverUrl: string, url: string, keys: number): Promise<Seeded> {
  const name = new URL(url).pathname.slice(1);
  await run(serverUrl, `drop database if exists ${name}`, `create database ${name}`);
  await migrate(url);
  const started = performance.now();
  const sample = await seedKeys(url, {
    keys,
    pepper: new Pepper(SECRET),
    sampleEvery: Math.max(1, Math.floor(keys / SAMPLE / 1.2)),
    onProgress: (made) => process.stderr.write(`\r${made} of ${keys} keys`),
  });
  const seedSeconds = (performance.now() - started) / 1000;
  process.stderr.write('\n');
  // As autovacuum does after a while.
  await run(url, 'vacuum (analyze)');
  return { sample, seedSeconds };
}

function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function run(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

async function startService(databaseUrl: string): Promise<Service> {
  const config = readConfig({
    DATABASE_URL: databaseUrl,
    KEYWARD_SECRET: SECRET,
    KEYWARD_ROOT_KEY: ROOT_KEY,
  });
  const log = pino({ level: 'silent' });
  const service = await createService({ config, databaseUrl, log, writeLine: async () => {} });
  await service.app.ready();
  return service;
}

async function call(service: Service, method: 'GET' | 'POST', url: string, body?: object) {
  const headers = { authorization: `Bearer ${ROOT_KEY}` };
  const request =
    body === undefined ? { method, url, headers } : { method, url, headers, payload: body };
  const answer = await service.app.inject(request);
  if (answer.statusCode !== 200) throw new Error(`${method} ${url}: ${answer.body}`);
  return answer.body;
}

/** Bytes per key of each table and its indexes. */
export async function bytesPerKey({ client, keys }: Installation): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; rows: string; indexes: string }>(
    `select name, pg_table_size(name::regclass) as rows, pg_indexes_size(name::regclass) as indexes
       from unnest($1::text[]) as name`,
    [TABLES],
  );
  const each = (bytes: string) => Math.round(Number(bytes) / keys);
  const shown = rows.map((row): [string, string] => [
    row.name,
    `${each(row.rows)} + ${each(row.indexes)} in indexes`,
  ]);
  const total = rows.reduce((sum, row) => sum + Number(row.rows) + Number(row.indexes), 0);
  return { ...Object.fromEntries(shown), total: `${Math.round(total / keys)}` };
}
