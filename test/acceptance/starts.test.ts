import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { clientOf, createKey, verdictOf } from '../support/client.ts';
import { runInProcess } from '../support/command.ts';
import { dataFolder, emptyDataFolder } from '../support/data-folder.ts';
import { connect, createTestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { startPrivatePostgres } from '../support/private-postgres.ts';
import {
  launchProgram,
  postgresPid,
  preload,
  runProgram,
  startProgram,
  waitUntilStarted,
} from '../support/program.ts';
import { openGate } from '../support/tcp-gate.ts';

const ROOT_KEY = 'root-key-of-the-acceptance-tests-0123456789';

/** What a failed start prints: sentences for the operator, without a stack trace. */
const refusal = (...sentences: RegExp[]) => ({
  code: 1,
  stderr: expect.toSatisfy(
    (text: string) => {
      const lines = text.trimEnd().split('\n');
      const each = sentences.every((sentence, line) => sentence.test(lines[line] ?? ''));
      return each && lines.length === sentences.length;
    },
    `exactly ${sentences.join(', ')}`,
  ),
});

describe('how the program starts', { timeout: 60_000 }, () => {
  it('a data directory in use by one program is refused to another, and the first is not disturbed', async () => {
    const directory = await dataFolder();
    const first = await startProgram({ KEYWARD_DATA_DIR: directory });
    expect(await runProgram({ KEYWARD_DATA_DIR: directory })).toMatchObject(
      refusal(/^keyward: another Keyward \(pid \d+\) already uses .*KEYWARD_DATA_DIR/),
    );
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
  });

  it('a start on a port that is taken says so', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address ? String(address.port) : '';
    const settings = { KEYWARD_DATA_DIR: await emptyDataFolder(), PORT: port };
    const outcome = await runInProcess(['start'], settings);
    other.close();
    expect(outcome).toMatchObject(refusal(new RegExp(`^keyward: Port ${port} is taken .*PORT`)));
  });

  it('a start whose port is taken after its startup server has closed ends with the same sentence', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const port = String(await freePort());
    const settings = { DATABASE_URL: database.url, PORT: port };
    const outcome = await runProgram({ ...settings, ...preload('port-thief') });
    expect(outcome).toMatchObject(refusal(new RegExp(`^keyward: Port ${port} is taken .*PORT`)));
    const embedded = { KEYWARD_DATA_DIR: await dataFolder(), PORT: port };
    const other = await runProgram({ ...embedded, ...preload('port-thief') });
    expect(other).toMatchObject(refusal(new RegExp(`^keyward: Port ${port} is taken .*PORT`)));
    expect(await postgresPid(embedded.KEYWARD_DATA_DIR)).toBe(undefined);
  });

  it('a start on a replica says why it waits, in one sentence, and serves once it is promoted', async () => {
    const postgres = await startPrivatePostgres();
    await postgres.stop();
    await postgres.startAsReplica();
    const program = launchProgram({ DATABASE_URL: postgres.url });
    await vi.waitFor(() => expect(program.stdout()).toContain('waiting for the database'), {
      timeout: 20_000,
    });
    const [line = ''] = program.stdout().split('\n');
    expect(JSON.parse(line)).toMatchObject({
      reason: expect.stringMatching(/ such as a replica; /),
    });
    expect(program.stdout()).not.toContain('    at ');
    const sql = await connect(postgres.url);
    await sql.query('select pg_promote()');
    const { url } = await waitUntilStarted(program);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(program.stderr()).toBe('');
    expect(await program.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('a start with wrong settings names all of them at once', async () => {
    const outcome = await runInProcess(['start'], {
      PORT: '99999',
      KEYWARD_ROOT_KEY: 'short-and-secret',
      KEYWARD_SECRET_FILE: '/nowhere/secret',
      KEYWARD_ARGON2_ITERATIONS: 'many',
    });
    expect(outcome.code).toBe(1);
    const names = ['PORT', 'KEYWARD_ROOT_KEY', 'KEYWARD_SECRET_FILE', 'KEYWARD_ARGON2_ITERATIONS'];
    for (const name of names) expect(outcome.stderr).toContain(`${name}: `);
    expect(outcome.stderr).not.toContain('short-and-secret');
    expect(outcome.stderr).not.toContain('    at ');
  });

  it('a start with a database or a user that does not exist is refused at once', async () => {
    const database = await createTestDatabase();
    const missing = new URL(database.url);
    missing.pathname = '/keyward_nowhere';
    expect(await runProgram({ DATABASE_URL: missing.href })).toMatchObject(
      refusal(/^keyward: The database named in DATABASE_URL does not exist/),
    );
    const stranger = new URL(database.url);
    stranger.username = 'keyward_stranger';
    stranger.password = 'guessed-password';
    const refused = await runProgram({ DATABASE_URL: stranger.href });
    expect(refused).toMatchObject(
      refusal(/^keyward: The database refused the (password|user) in DATABASE_URL/),
    );
    expect(refused.stdout + refused.stderr).not.toContain('guessed-password');
    await database.drop();
  });

  it('a start waits for a database that comes later: it is alive but not ready meanwhile, then serves', async () => {
    const database = await createTestDatabase();
    const [port, gatePort] = [await freePort(), await freePort()];
    const program = launchProgram({
      PORT: String(port),
      DATABASE_URL: throughPort(database.url, gatePort),
      KEYWARD_ROOT_KEY: ROOT_KEY,
    });
    const statusOf = (path: string) =>
      fetch(`http://127.0.0.1:${port}${path}`).then(({ status }) => status);
    await vi.waitFor(() => expect(statusOf('/readyz')).resolves.toBe(503), { timeout: 20_000 });
    expect(await statusOf('/livez')).toBe(200);
    expect(await statusOf('/v1/keys')).toBe(503);

    await openGate(database.url, gatePort);
    const { url } = await waitUntilStarted(program);
    expect(await statusOf('/readyz')).toBe(200);
    const client = clientOf(url, ROOT_KEY);
    const { key } = await createKey(client, 'late');
    expect(await verdictOf(client, key)).toBe('VALID');
    await program.end('SIGTERM');
    await database.drop();
  });

  it('a SIGTERM ends a program that is still waiting for its database', async () => {
    const port = await freePort();
    const program = launchProgram({
      LOG_LEVEL: 'warn',
      DATABASE_URL: `postgresql://keyward@127.0.0.1:${port}/keyward`,
    });
    await vi.waitFor(() => expect(program.stdout()).toContain('waiting for the database'), {
      timeout: 20_000,
    });
    expect(await program.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it.skipIf(process.platform !== 'linux')(
    'a program with DATABASE_URL starts no other process and writes no file of its own',
    async () => {
      const database = await createTestDatabase();
      const directory = await temporaryFolder('keyward-unused-');
      const { pid, end } = await startProgram({
        DATABASE_URL: database.url,
        KEYWARD_DATA_DIR: directory,
      });
      expect(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).toBe('');
      expect(await readdir(directory)).toEqual([]);
      await end('SIGTERM');
      await database.drop();
    },
  );
});

/** The same database through a loopback port where nothing listens yet. */
function throughPort(databaseUrl: string, port: number): string {
  const url = new URL(databaseUrl);
  url.search = '?sslmode=disable';
  url.host = `127.0.0.1:${port}`;
  return url.href;
}
