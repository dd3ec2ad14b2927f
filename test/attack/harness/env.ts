import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { grantStatements } from '../../../src/db/grants.ts';
import { migrate } from '../../../src/db/migrate.ts';
import { PERMISSIONS } from '../../../src/domain/caller.ts';
import { startTestPostgres } from '../../support/postgres-server.ts';
import { ROOT_KEY, Service } from './service.ts';

export interface Answer {
  status: number;
  body: Readonly<Record<string, unknown>>;
}

/** A migrated database of its own on a real Postgres, the role of the service, and the service. */
export class AttackEnv {
  readonly databaseUrl: string;
  readonly runtimeRole: string;
  readonly #log: string;
  readonly #client: pg.Client;
  readonly #drop: () => Promise<void>;
  #service: Service | null = null;
  #workspaces = 0;

  private constructor(parts: {
    databaseUrl: string;
    runtimeRole: string;
    log: string;
    client: pg.Client;
    drop: () => Promise<void>;
  }) {
    this.databaseUrl = parts.databaseUrl;
    this.runtimeRole = parts.runtimeRole;
    this.#log = parts.log;
    this.#client = parts.client;
    this.#drop = parts.drop;
  }

  static async open(log: string): Promise<AttackEnv> {
    const server = await startTestPostgres();
    const name = `keyward_attack_${randomBytes(5).toString('hex')}`;
    const drop = async () => {
      await asAdmin(server.url, `drop database if exists ${name} with (force)`);
      await asAdmin(server.url, `drop role if exists ${name}`);
      await server.stop();
    };
    try {
      await asAdmin(server.url, `create database ${name}`);
      await asAdmin(server.url, `create role ${name}`);
      const databaseUrl = Object.assign(new URL(server.url), { pathname: `/${name}` }).href;
      await migrate(databaseUrl);
      const client = await connect(databaseUrl);
      await client.query(grantStatements(name));
      return new AttackEnv({ databaseUrl, runtimeRole: name, log, client, drop });
    } catch (error) {
      await drop();
      throw error;
    }
  }

  get service(): Service {
    if (!this.#service) throw new Error('no service was started');
    return this.#service;
  }

  /** Starts a service with empty caches, in place of the one before. */
  async restart(): Promise<void> {
    await this.#service?.stop();
    this.#service = await Service.start(this.databaseUrl, this.#log);
  }

  async close(): Promise<void> {
    await this.#service?.stop();
    await this.#client.end();
    await this.#drop();
  }

  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.#client.query<Row>(text, values)).rows;
  }

  /** One call of the API, by the root key if no other is given; null presents none. */
  async call(
    method: string,
    path: string,
    body?: object,
    as: string | null = ROOT_KEY,
  ): Promise<Answer> {
    const response = await fetch(this.service.url + path, {
      method,
      headers: {
        ...(as !== null && { authorization: `Bearer ${as}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
  }

  /** The answer to a call that prepares something and must succeed. */
  async must(method: string, path: string, body?: object, as?: string): Promise<Answer['body']> {
    const answer = await this.call(method, path, body, as);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /** A new workspace and a management key with every permission in it. */
  async makeWorkspace(name: string, policies: object = {}) {
    const workspaceId = `${name}-${this.#workspaces++}`;
    await this.must('PUT', `/v1/workspaces/${workspaceId}`, policies);
    const body = { name, workspaceId, permissions: PERMISSIONS };
    const { key } = await this.must('POST', '/v1/management-keys', body);
    return { workspaceId, managementKey: String(key) };
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = await connect(url);
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
