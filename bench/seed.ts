import { rm, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { explained } from '../scripts/explained-options.ts';
import { readConfig } from '../src/config.ts';
import { withDatabase } from '../src/db/open-for-command.ts';
import { HmacKey } from '../src/domain/hmac-key.ts';
import { generateKey, newId } from '../src/domain/key-string.ts';
import type { Pepper } from '../src/domain/pepper.ts';
import { insertKeys, type SeededKey } from './seeding/insert.ts';
import { Random } from './seeding/random.ts';
import { makeRow } from './seeding/rows.ts';

const CHUNK = 5000;
const TABLES = 'keys, secrets, secret_proofs, key_usage, secret_usage, usage_recent';

export interface SeedOptions {
  keys: number;
  /** From the KEYWARD_SECRET of the stored proofs. */
  pepper: Pepper;
  workspaceId?: string;
  /** The same seed makes the same keys, except their ids and strings. */
  seed?: number;
  /** The number of active keys for each one that is returned. */
  sampleEvery?: number;
  onProgress?: (made: number) => void;
}

export interface SampledKey {
  id: string;
  key: string;
}

/**
 * Fills a migrated database with the keys that a company has after two years, without argon2: they
 * verify through their stored proofs. Returns a sample of the active ones.
 */
export async function seedKeys(databaseUrl: string, options: SeedOptions): Promise<SampledKey[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const sample = await seedInto(client, options);
    await client.query(`analyze ${TABLES}`);
    return sample;
  } finally {
    await client.end();
  }
}

async function seedInto(client: pg.Client, options: SeedOptions): Promise<SampledKey[]> {
  const { keys, workspaceId = 'default', sampleEvery = 100, onProgress = () => {} } = options;
  const make = await maker(client, options);
  const sample: SampledKey[] = [];
  for (let made = 0; made < keys; ) {
    const chunk = Array.from({ length: Math.min(CHUNK, keys - made) }, make);
    await insertKeys(client, workspaceId, chunk);
    const active = chunk.filter(
      (key, i) => key.status === 'active' && (made + i) % sampleEvery === 0,
    );
    sample.push(...active.map(({ id, key }) => ({ id, key })));
    made += chunk.length;
    onProgress(made);
  }
  return sample;
}

/** Returns a function that makes one key at a time. */
async function maker(client: pg.Client, { keys, pepper, seed = 1 }: SeedOptions) {
  const { rows } = await client.query<{ key: Buffer; now: Date }>(
    'select checksum_key as key, now() from installation',
  );
  if (!rows[0]) throw new Error('the database has no installation row; run the migrations');
  const checksumKey = new HmacKey(rows[0].key);
  const now = rows[0].now.getTime();
  const random = new Random(seed);
  let made = 0;
  return (): SeededKey & { key: string } => {
    const row = makeRow(random, made++, keys, now);
    const { key, ref, start } = generateKey(row.prefix, checksumKey);
    const proof = { pepperId: pepper.id, proof: pepper.proofOf(key) };
    return { ...row, ...proof, key, ref, start, id: newId('key'), secretId: newId('sec') };
  };
}

/** `node bench/seed.ts --keys 1000000 [--database-url URL] [--workspace ID] [--sample FILE]` */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: explained({
      keys: { type: 'string', default: '1000000' },
      'database-url': { type: 'string' },
      workspace: { type: 'string', default: 'default' },
      seed: { type: 'string', default: '1' },
      sample: { type: 'string', default: 'seeded-keys.txt' },
    }),
  });
  const url = values['database-url'];
  const config = readConfig({ ...process.env, ...(url !== undefined && { DATABASE_URL: url }) });
  const keys = Number(values.keys);
  const started = performance.now();
  const context = { settings: () => config, stop: new AbortController().signal };
  await withDatabase(context, async (database) => {
    const { pepper } = database;
    if (!pepper) throw new Error('set KEYWARD_SECRET as the service has it');
    const sample = await seedKeys(database.url, {
      keys,
      pepper,
      workspaceId: values.workspace,
      seed: Number(values.seed),
      onProgress: (made) => process.stderr.write(`\r${made} of ${keys} keys`),
    });
    const strings = sample.map(({ key }) => `${key}\n`).join('');
    await rm(values.sample, { force: true });
    await writeFile(values.sample, strings, { mode: 0o600 });
    const seconds = (performance.now() - started) / 1000;
    const speed = Math.round(keys / seconds);
    process.stderr.write(
      `\n${seconds.toFixed(1)} s, ${speed} keys/s; ${sample.length} active ones are in ${values.sample}\n`,
    );
  });
}

if (import.meta.main) await main();
