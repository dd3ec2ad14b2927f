import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/postgres.ts';

interface Database {
  /** As the owner of the tables to be. */
  ownerUrl: string;
  /** As the role of the service. */
  runtimeUrl: string;
  stop: () => Promise<void>;
}

/** A Postgres on loopback with the two roles of docs/database-roles.md. */
export async function startDatabase(folder: string): Promise<Database> {
  // A path that is too long for a socket: then it listens on loopback.
  const directory = join(folder, 'p'.repeat(100));
  const server = await startEmbeddedPostgres({ directory, durable: false });
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query(`create role keyward_owner login password 'owner'`);
  await admin.query(`create role keyward_runtime login password 'runtime'`);
  await admin.query('create database container_check owner keyward_owner');
  await admin.end();
  const as = (user: string, password: string) => {
    const url = new URL(server.url);
    Object.assign(url, { username: user, password, pathname: '/container_check' });
    return url.href;
  };
  return {
    ownerUrl: as('keyward_owner', 'owner'),
    runtimeUrl: as('keyward_runtime', 'runtime'),
    stop: () => server.stop(),
  };
}
