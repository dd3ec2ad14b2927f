import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/embedded-postgres/postgres.ts';

let base: string;
let directory: string;
let running: EmbeddedPostgres | undefined;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'keyward-embedded-locks-'));
  directory = join(base, 'postgres');
  await (await startEmbeddedPostgres({ directory, durable: false })).stop();
});
afterEach(() => running?.stop());
afterAll(() => rm(base, { recursive: true, force: true }));

async function answersAfterStart(): Promise<unknown> {
  running = await startEmbeddedPostgres({ directory, durable: false });
  const client = new pg.Client({ connectionString: running.url });
  await client.connect();
  const { rows } = await client.query('select 1 as one');
  await client.end();
  return rows;
}

const DATA_LOCK = 'data/postmaster.pid';
const SOCKET_LOCK = '.s.PGSQL.5432.lock';

it.each([
  ['the lock of the data', [DATA_LOCK]],
  ['the lock of the socket', [SOCKET_LOCK]],
  ['both locks', [DATA_LOCK, SOCKET_LOCK]],
])(
  '%s that a crash left empty, or with nothing but blanks, does not stop a start',
  async (_, locks) => {
    for (const content of ['', '\n', ' \n\n']) {
      for (const lock of locks) await writeFile(join(directory, lock), content);
      expect(await answersAfterStart()).toEqual([{ one: 1 }]);
      await running?.stop();
    }
  },
);

it.each(['0', '-1', 'nonsense', `${2 ** 22 + 1}`])(
  'a lock of the data that names no process (%j) does not stop a start',
  async (pid) => {
    await writeFile(join(directory, DATA_LOCK), `${pid}\n${directory}/data\n1700000000\n`);
    expect(await answersAfterStart()).toEqual([{ one: 1 }]);
  },
);

it('an empty claim that an earlier process left does not stop a start, and goes', async () => {
  const claim = join(directory, `owner-${process.ppid}-of-an-earlier-boot`);
  await writeFile(claim, '');
  expect(await answersAfterStart()).toEqual([{ one: 1 }]);
  await expect(readFile(claim)).rejects.toThrow('ENOENT');
});
