import { randomBytes } from 'node:crypto';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { inject, onTestFinished } from 'vitest';
import type { Orm } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import * as schema from '../../src/db/schema.ts';

const TEMPLATE = 'keyward_template';

export async function prepareTemplate(serverUrl: string): Promise<void> {
  await asAdmin(serverUrl, `drop database if exists ${TEMPLATE}`);
  await asAdmin(serverUrl, `create database ${TEMPLATE}`);
  await migrate(withDatabase(serverUrl, TEMPLATE));
}

export interface TestDatabase {
  url: string;
  drop: () => Promise<void>;
}

/** A fresh, migrated database. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = inject('postgresUrl');
  const name = `keyward_${randomBytes(6).toString('hex')}`;
  await asAdmin(serverUrl, `create database ${name} template ${TEMPLATE}`);
  return {
    url: withDatabase(serverUrl, name),
    drop: () => asAdmin(serverUrl, `drop database if exists ${name} with (force)`),
  };
}

/** The same connection for the functions of src that take Drizzle. */
export function ormOf(client: pg.Client): Orm {
  return drizzle(client, { schema });
}

/** A connection for hand-written SQL, closed when the test ends. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end().catch(() => undefined));
  return client;
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function asAdmin(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
