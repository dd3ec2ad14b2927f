import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedPostgresError } from '../../src/embedded-postgres/errors.ts';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../src/embedded-postgres/postgres.ts';

const NOBODY = 65534;
// A first start takes seconds on a busy machine.
const DEADLINE_MS = 30_000;
const MODULE = new URL('../../src/embedded-postgres/postgres.ts', import.meta.url);

/** A folder with one cluster for all tests of this file; each test finds it stopped. */
let base: string;
let directory: string;
/** Started by a test, and ended after it. */
let running: EmbeddedPostgres[] = [];
let children: ChildProcess[] = [];

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'keyward-embedded-'));
  directory = join(base, 'postgres');
  const server = await startEmbeddedPostgres({ directory, durable: false });
  await server.stop();
}, DEADLINE_MS);

afterEach(async () => {
  for (const child of children) await stopElsewhere(child);
  for (const server of running) await server.stop();
  running = [];
  children = [];
});

afterAll(() => rm(base, { recursive: true, force: true }));

async function start(
  folder: string,
  options: Partial<EmbeddedPostgresOptions> = {},
): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ directory: folder, durable: false, ...options });
  running.push(server);
  return server;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result: pg.QueryResult<unknown[]> = await client.query({ text: sql, rowMode: 'array' });
    return result.rows.flat();
  } finally {
    await client.end();
  }
}

/** Starts the database from another Node process, which prints its URL and the server's pid. */
async function startElsewhere(
  folder: string,
  account: { uid?: number; gid?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<{ child: ChildProcess; url: string; pid: number }> {
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(MODULE.href)};
    const server = await startEmbeddedPostgres({ directory: process.argv[1], durable: false });
    console.log(JSON.stringify({ url: server.url, pid: server.pid }));
    process.stdin.once('data', () => server.stop().then(() => process.exit(0)));`;
  const args = ['--input-type=module', '-e', script, folder];
  const child = spawn(process.execPath, args, {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    ...account,
  });
  children.push(child);
  const [line]: string[] = await once(createInterface(child.stdout), 'line');
  return { child, ...parseStarted(line ?? '') };
}

async function stopElsewhere(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.stdin?.write('stop');
  await once(child, 'exit');
}

/** Runs with the cluster of this file at another path. */
async function moved(place: string, use: () => Promise<void>): Promise<void> {
  await rename(directory, place);
  try {
    await use();
  } finally {
    for (const server of running) await server.stop();
    await rename(place, directory);
  }
}

function parseStarted(line: string): { url: string; pid: number } {
  const { url, pid }: { url: string; pid: number } = JSON.parse(line);
  return { url, pid };
}

async function failureOf(promise: Promise<unknown>): Promise<EmbeddedPostgresError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EmbeddedPostgresError) return error;
  throw new Error('expected an EmbeddedPostgresError', { cause: error });
}

const isRoot = process.getuid?.() === 0;
const canMakeUserNamespaces =
  isRoot && spawnSync('unshare', ['--user', '--map-user=65534', 'true']).status === 0;
const nobodyCanRunNode =
  isRoot &&
  process.platform === 'linux' &&
  spawnSync(process.execPath, ['-e', `require('node:fs').statSync('${MODULE.pathname}')`], {
    cwd: '/',
    uid: NOBODY,
    gid: NOBODY,
  }).status === 0;

describe('the embedded Postgres', { timeout: DEADLINE_MS }, () => {
  it('the embedded Postgres keeps its data from one start to the next, and can be stopped repeatedly', async () => {
    const first = await start(directory);
    await query(first.url, 'create table kept as select 7 as value');
    await Promise.all([first.stop(), first.stop()]);
    await first.exited;
    await first.stop();

    const second = await start(directory);
    expect(await query(second.url, 'select value from kept')).toEqual([7]);
    expect(second.pid).not.toBe(first.pid);
  });

  it('the embedded Postgres is a UTF-8 database in UTC with checksums, reachable by its socket only', async () => {
    const server = await start(directory, { settings: { max_connections: '23' } });
    const settings = [
      'server_encoding',
      'timezone',
      'data_checksums',
      'max_connections',
      'listen_addresses',
      'fsync',
      'log_min_error_statement',
    ];
    const shown = settings.map((name) => `current_setting('${name}')`).join(', ');
    expect(await query(server.url, `select ${shown}, current_database(), current_user`)).toEqual([
      'UTF8',
      'UTC',
      'on',
      '23',
      '',
      'off',
      'panic',
      'keyward',
      'keyward',
    ]);
    expect((await stat(join(directory, 'password'))).mode & 0o777).toBe(0o600);
  });

  it('the embedded Postgres is durable unless told otherwise', async () => {
    const server = await start(directory, { durable: true });
    const shown = ['fsync', 'synchronous_commit', 'full_page_writes'];
    const sql = shown.map((name) => `current_setting('${name}')`).join(', ');
    expect(await query(server.url, `select ${sql}`)).toEqual(['on', 'on', 'on']);
  });

  it('the embedded Postgres writes neither statements nor values into its log', async () => {
    const server = await start(directory);
    const secret = 'ak_live_must_not_be_logged';
    await query(server.url, 'create table once (value text primary key)');
    await query(server.url, `insert into once values ('${secret}')`);
    await expect(query(server.url, `insert into once values ('${secret}')`)).rejects.toThrow();
    await expect(query(server.url, `select '${secret}'::int`)).rejects.toThrow();
    await server.stop();
    const log = await readFile(join(directory, 'server.log'), 'utf8');
    expect(log).toContain('database system is ready');
    expect(log).not.toContain(secret);
  });

  it('a second start of the embedded Postgres in the same process is refused', async () => {
    await start(directory);
    const error = await failureOf(start(directory));
    expect(error.message).toContain(`another Keyward (pid ${process.pid}) already uses`);
    expect(error.message).toContain('KEYWARD_DATA_DIR');
  });

  it('a second start of the embedded Postgres in another process is refused and leaves it running', async () => {
    const owner = await startElsewhere(directory);
    const error = await failureOf(start(directory));
    expect(error.message).toContain(`another Keyward (pid ${owner.child.pid}) already uses`);
    expect(await query(owner.url, 'select 1')).toEqual([1]);
    await stopElsewhere(owner.child);
    expect((await readdir(directory)).filter((name) => name.startsWith('owner-'))).toEqual([]);
  });

  it('exactly one of several concurrent starts of the embedded Postgres succeeds', async () => {
    const names = ['a', 'b', 'c'];
    const outcomes = await Promise.allSettled(names.map(() => start(directory)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('the embedded Postgres starts with its data after its Keyward was killed and left the server behind', async () => {
    const owner = await startElsewhere(directory);
    await query(owner.url, 'create table kept_by_orphan as select 7 as value');
    owner.child.kill('SIGKILL');
    await once(owner.child, 'exit');
    expect(process.kill(owner.pid, 0)).toBe(true);

    const next = await start(directory);
    expect(await query(next.url, 'select value from kept_by_orphan')).toEqual([7]);
    expect(next.pid).not.toBe(owner.pid);
  });

  it('the embedded Postgres starts after its server was killed, and reports its end', async () => {
    const first = await start(directory, { durable: true });
    await query(first.url, 'create table kept_by_recovery as select 7 as value');
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    await first.stop();
    const next = await start(directory);
    expect(await query(next.url, 'select value from kept_by_recovery')).toEqual([7]);
  });

  it('the embedded Postgres starts although the pid in a stale lock belongs to another process by now', async () => {
    const first = await start(directory);
    await first.stop();
    const stale = (folder: string) =>
      `${process.ppid}\n${folder}\n1700000000\n5432\n${directory}\n\n 123 456\nready   \n`;
    await writeFile(join(directory, 'data', 'postmaster.pid'), stale(join(directory, 'data')));
    await writeFile(join(directory, '.s.PGSQL.5432.lock'), stale(join(directory, 'data')));
    await writeFile(join(directory, `owner-${process.ppid}-of-an-earlier-boot`), '');
    const next = await start(directory);
    expect(await query(next.url, 'select 1')).toEqual([1]);
  });

  it('the embedded Postgres starts although a crash left an empty lock', async () => {
    await writeFile(join(directory, 'data', 'postmaster.pid'), '');
    const next = await start(directory);
    expect(await query(next.url, 'select 1')).toEqual([1]);
  });

  it('a first start of the embedded Postgres that was interrupted starts again from scratch', async () => {
    const fresh = join(base, 'interrupted');
    await mkdir(join(fresh, 'initdb-interrupted', 'base'), { recursive: true });
    await writeFile(join(fresh, 'password'), '');
    const server = await start(fresh);
    expect(await query(server.url, 'select 1')).toEqual([1]);
    expect(await readdir(fresh)).not.toContain('initdb-interrupted');
  });

  it('the embedded Postgres can be moved to a path too long for a socket, and then requires its password on loopback', async () => {
    const long = join(base, 'x'.repeat(60), 'y'.repeat(60));
    await mkdir(dirname(long));
    await moved(long, async () => {
      const server = await start(long);
      const sql = "select current_setting('listen_addresses'), 1";
      expect(await query(server.url, sql)).toEqual(['127.0.0.1', 1]);
      const url = new URL(server.url);
      url.password = 'wrong';
      await expect(query(url.href, 'select 1')).rejects.toThrow('password authentication failed');
    });
  });

  it('the embedded Postgres works in a path with spaces, commas, quotes and letters beyond ASCII', async () => {
    const odd = join(base, `my "data", it's ünïcode %41 & more`);
    await moved(odd, async () => {
      const server = await start(odd);
      expect(await query(server.url, "select current_setting('listen_addresses')")).toEqual(['']);
    });
  });

  it('the embedded Postgres says what to do about a cluster of another major version', async () => {
    const file = join(directory, 'data', 'PG_VERSION');
    const version = await readFile(file, 'utf8');
    await writeFile(file, '14\n');
    const error = await failureOf(start(directory));
    await writeFile(file, version);
    expect(error.message).toMatch(/was made by PostgreSQL 14 and the embedded one is \d+/);
  });

  it('the embedded Postgres shows the end of the server log if the server does not start, and frees the directory', async () => {
    const error = await failureOf(start(directory, { settings: { shared_buffers: 'nonsense' } }));
    expect(error.message).toContain(join(directory, 'server.log'));
    expect(error.message).toContain('invalid value for parameter "shared_buffers"');
    const next = await start(directory);
    expect(await query(next.url, 'select 1')).toEqual([1]);
  });

  it.skipIf(!canMakeUserNamespaces)(
    'the files of the embedded Postgres stay those of root if root can make user namespaces',
    async () => {
      const server = await start(directory);
      expect(await query(server.url, 'select 1')).toEqual([1]);
      expect((await stat(join(directory, 'data'))).uid).toBe(0);
    },
  );

  it.skipIf(!nobodyCanRunNode)(
    'the embedded Postgres works for an ordinary user, and then for root as that user',
    async () => {
      const home = join(base, 'home');
      await mkdir(home);
      await chown(home, NOBODY, NOBODY);
      await chmod(base, 0o711);
      const folder = join(home, 'made by nobody');
      const owner = await startElsewhere(folder, { uid: NOBODY, gid: NOBODY });
      expect(await query(owner.url, 'select 1')).toEqual([1]);
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
      owner.child.stdin?.write('stop');
      await once(owner.child, 'exit');

      const server = await start(folder);
      expect(await query(server.url, 'select 1')).toEqual([1]);
      expect((await stat(join(folder, 'data'))).uid).toBe(NOBODY);
    },
  );

  it.skipIf(!nobodyCanRunNode)(
    'the embedded Postgres uses an unprivileged account if root has no user namespaces',
    async () => {
      await chmod(base, 0o711);
      const folder = join(base, 'handed over');
      // Without unshare on the PATH, as on a system that forbids user namespaces.
      const programs = join(base, 'bin');
      await mkdir(programs);
      for (const name of ['sh', 'id']) await symlink(`/usr/bin/${name}`, join(programs, name));
      const owner = await startElsewhere(folder, { env: { PATH: programs } });
      expect(await query(owner.url, 'select 1')).toEqual([1]);
      expect((await stat(join(folder, 'data'))).uid).not.toBe(0);
    },
  );
});
