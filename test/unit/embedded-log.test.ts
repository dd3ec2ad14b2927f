import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/embedded-postgres/postgres.ts';

const SECRET = 'ak_live_must_not_be_logged';
/** Settings of an operator that would put statements, rows or parameters into the log. */
const TALKATIVE = {
  log_min_messages: 'debug1',
  log_min_error_statement: 'debug5',
  log_error_verbosity: 'verbose',
  log_statement: 'all',
  log_parameter_max_length: '-1',
  log_parameter_max_length_on_error: '-1',
  log_checkpoints: 'on',
  log_autovacuum_min_duration: '0',
};
const DISCREET = {
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_statement: 'none',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_checkpoints: 'off',
  log_autovacuum_min_duration: '-1',
};

let base: string;
let directory: string;
let server: EmbeddedPostgres;
let clients: pg.Client[] = [];

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'keyward-embedded-log-'));
  directory = join(base, 'postgres');
});
beforeEach(async () => {
  server = await startEmbeddedPostgres({ directory, durable: false, settings: TALKATIVE });
});
afterEach(async () => {
  for (const client of clients) await client.end().catch(() => {});
  clients = [];
  await server.stop();
});
afterAll(() => rm(base, { recursive: true, force: true }));

async function open(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => {});
  clients.push(client);
  await client.connect();
  return client;
}

const log = () => readFile(join(directory, 'server.log'), 'utf8');

/** A statement with a secret that is under way, and the process that runs it. */
async function underWay(watcher: pg.Client) {
  const client = await open();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const pid = rows[0]?.pid ?? 0;
  const ended = client.query('select pg_sleep(3600), $1::text', [SECRET]).catch(() => 'ended');
  const active = `select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'`;
  while ((await watcher.query(active, [pid])).rowCount === 0);
  return { pid, ended };
}

it('no setting of an operator makes the log of the embedded server tell more', async () => {
  const names = Object.keys(DISCREET);
  const { rows } = await (await open()).query<{ name: string; setting: string }>(
    `select name, setting from pg_settings where name = any($1)`,
    [names],
  );
  const shown = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  expect(shown).toEqual(DISCREET);
});

it('statements, parameters and rows that the embedded server refuses do not reach its log', async () => {
  const client = await open();
  await client.query('create table once (value text primary key)');
  await client.query('insert into once values ($1)', [SECRET]);
  const refused: [string, string[]][] = [
    ['insert into once values ($1)', [SECRET]],
    [`insert into once values ('${SECRET}')`, []],
    ['select $1::int', [SECRET]],
    [`select '${SECRET}'::int`, []],
    [`select ${SECRET}`, []],
    [`do $$ begin raise '%', '${SECRET}'; end $$`, []],
  ];
  for (const [text, values] of refused) await expect(client.query(text, values)).rejects.toThrow();
  await client.query(`do $$ begin raise warning '%', '${SECRET}'; end $$`);
  await server.stop();
  expect(await log()).toContain('database system is ready');
  expect(await log()).not.toContain(SECRET);
});

it('a connection that is ended during a statement leaves nothing of that in the log of the embedded server', async () => {
  const watcher = await open();
  const { pid, ended } = await underWay(watcher);
  await watcher.query('select pg_terminate_backend($1)', [pid]);
  expect(await ended).toBe('ended');
  await server.stop();
  expect(await log()).toContain('terminating connection due to administrator command');
  expect(await log()).not.toContain(SECRET);
  expect(await log()).not.toContain('pg_sleep');
});

it('a process of the embedded server that crashes during a statement leaves nothing of that in its log', async () => {
  const watcher = await open();
  const client = await open();
  const crashed = client.query(`select pg_sleep(3600), '${SECRET}'`).catch(() => 'ended');
  const active = `select pid from pg_stat_activity where wait_event = 'PgSleep'`;
  let pid: number | undefined;
  while (pid === undefined) pid = (await watcher.query<{ pid: number }>(active)).rows[0]?.pid;
  process.kill(pid, 'SIGKILL');
  expect(await crashed).toBe('ended');
  // Recovered, it is ready once more.
  await expect.poll(log, { timeout: 20_000 }).toMatch(/by signal 9.*is ready to accept/s);
  await server.stop();
  expect(await log()).not.toContain(SECRET);
  expect(await log()).not.toContain('pg_sleep');
});

it('the log of the embedded server is readable by its owner alone, and a restart keeps the one before it', async () => {
  const mode = async (name: string) => (await stat(join(directory, name))).mode & 0o777;
  expect(await mode('server.log')).toBe(0o600);
  const before = await log();
  await server.stop();
  const whole = await log();
  server = await startEmbeddedPostgres({ directory, durable: false });
  expect(await readFile(join(directory, 'server.previous.log'), 'utf8')).toBe(whole);
  expect(whole.startsWith(before)).toBe(true);
  expect((await log()).match(/database system is ready/g)).toHaveLength(1);
  expect(await mode('server.previous.log')).toBe(0o600);
});
