import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { chooseRunner, type Runner, run } from '../../src/embedded-postgres/unprivileged.ts';
import { freePort } from '../../test/support/free-port.ts';

/** Where Debian has the programs of each version, or the folder that is given. */
const FOLDERS = '/usr/lib/postgresql';

/** The newest Postgres of the machine, server and client programs together; null: there is none. */
export function installedPostgres(): string | null {
  const given = process.env.KEYWARD_TEST_POSTGRES;
  const versions = existsSync(FOLDERS) ? readdirSync(FOLDERS).toSorted((a, b) => +b - +a) : [];
  const folders = given ? [given] : versions.map((version) => join(FOLDERS, version, 'bin'));
  const needed = ['postgres', 'initdb', 'pg_dump', 'pg_restore', 'pg_basebackup'];
  return folders.find((bin) => needed.every((name) => existsSync(join(bin, name)))) ?? null;
}

/** A cluster of its own in a folder, with the programs of the machine. */
export class Postgres {
  readonly folder: string;
  readonly port: number;
  readonly #bin: string;
  readonly #runner: Runner;
  #stop: () => Promise<void> = async () => {};

  private constructor(bin: string, folder: string, port: number, runner: Runner) {
    this.#bin = bin;
    this.folder = folder;
    this.port = port;
    this.#runner = runner;
  }

  static async prepare(bin: string, folder: string): Promise<Postgres> {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o700);
    const runner = await chooseRunner(join(bin, 'postgres'), folder);
    return new Postgres(bin, folder, await freePort(), runner);
  }

  /** A new cluster, running. */
  static async make(bin: string, folder: string): Promise<Postgres> {
    const made = await Postgres.prepare(bin, folder);
    const options = ['--auth=trust', '--username=keyward', '--encoding=UTF8', '--locale=C'];
    await made.program('initdb', ['--pgdata', made.data, ...options]);
    await made.start();
    await made.query('create database keyward', 'postgres');
    return made;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  get url(): string {
    return this.urlOf('keyward');
  }

  urlOf(database: string): string {
    return `postgres://keyward@127.0.0.1:${this.port}/${database}`;
  }

  /** Runs one of the programs to its end, on this server where it takes a connection. */
  async program(name: string, args: readonly string[]): Promise<string> {
    const { ok, stdout, stderr } = await run(
      this.#runner,
      join(this.#bin, name),
      [...args],
      this.folder,
    );
    if (!ok) throw new Error(`${name}: ${stderr}`);
    return stdout;
  }

  /** Takes a copy of a cluster that is at rest, with its rights. */
  async copyFrom(data: string): Promise<void> {
    const { ok, stderr } = await run(this.#runner, 'cp', ['-a', data, this.data], this.folder);
    if (!ok) throw new Error(stderr);
  }

  async start(settings: Record<string, string> = {}): Promise<void> {
    const options = Object.entries({
      port: String(this.port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '60',
      ...settings,
    }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const [program = '', ...words] = [...this.#runner.prefix, join(this.#bin, 'postgres')];
    const child = spawn(program, [...words, '-D', this.data, ...options], {
      cwd: this.folder,
      stdio: 'ignore',
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      ...this.#runner.account,
    });
    const ended = once(child, 'close');
    this.#stop = async () => {
      child.kill('SIGINT');
      await ended;
    };
    await this.#whenReady();
  }

  async stop(): Promise<void> {
    await this.#stop();
    this.#stop = async () => {};
  }

  async query(text: string, database = 'keyward') {
    const client = new pg.Client({ connectionString: this.urlOf(database) });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** A restored cluster is ready once its recovery has ended. */
  async #whenReady(): Promise<void> {
    for (let attempt = 0; attempt < 300; attempt++) {
      const rows = await this.query('select pg_is_in_recovery() as it', 'postgres').catch(() => []);
      if (rows[0]?.it === false) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`no Postgres is ready in ${this.folder}`);
  }
}
