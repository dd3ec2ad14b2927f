import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { createKey, rootClient, usageOf, verdictOf } from '../support/client.ts';
import { dataFolder, emptyDataFolder } from '../support/data-folder.ts';
import { connect as connectTo, createTestDatabase } from '../support/database.ts';
import { verifyContinuously } from '../support/load.ts';
import { untilWaiting } from '../support/locks.ts';
import { processesOn } from '../support/processes.ts';
import { isRunning, launchProgram, postgresPid, startProgram } from '../support/program.ts';

const ROOT_KEY = 'root-key-of-these-tests-0123456789';
const FLUSH_MS = 250;
/** One interval, and another for the flush in progress. */
const LOSS_MS = 2 * FLUSH_MS;
const LOAD_MS = 4 * LOSS_MS;
const UNDER_LOAD = { timeout: 30_000, interval: 20 };

describe('how the program ends', { timeout: 90_000 }, () => {
  it('a kill -9 under load loses no key, and at most the counts of the last two intervals', async () => {
    const directory = await dataFolder();
    const settings = { KEYWARD_DATA_DIR: directory, KEYWARD_USAGE_FLUSH_MS: String(FLUSH_MS) };
    const program = await startProgram(settings);
    const client = await rootClient(program, directory);
    const { id, key } = await createKey(client, 'survivor');
    const began = performance.now();
    const load = verifyContinuously(client, key);
    await vi.waitFor(
      () => expect((load.answered.at(-1) ?? 0) - began).toBeGreaterThan(LOAD_MS),
      UNDER_LOAD,
    );
    const killedAt = performance.now();
    await program.end('SIGKILL');
    await load.ended;

    const again = await rootClient(await startProgram(settings), directory);
    const total = async () => (await usageOf(again, id)).total;
    const old = load.answered.filter((time) => time < killedAt - LOSS_MS);
    expect(old.length).toBeGreaterThan(0);
    // What was flushed last is folded a second after the start.
    await expect.poll(total, UNDER_LOAD).toBeGreaterThanOrEqual(old.length);
    expect(await total()).toBeLessThanOrEqual(load.sent());
    expect(await verdictOf(again, key)).toBe('VALID');
  });

  it('a SIGTERM under load counts exactly what was answered, leaves no database process behind, and the next start finds the key', async () => {
    const directory = await dataFolder();
    const program = await startProgram({ KEYWARD_DATA_DIR: directory });
    const client = await rootClient(program, directory);
    const { id, key } = await createKey(client, 'counted');
    const postgres = (await postgresPid(directory)) ?? 0;
    expect(isRunning(postgres)).toBe(true);
    const load = verifyContinuously(client, key);
    await vi.waitFor(() => expect(load.answered.length).toBeGreaterThan(500), UNDER_LOAD);
    expect(await program.end('SIGTERM'), program.stdout()).toEqual({ code: 0, signal: null });
    await load.ended;
    expect(isRunning(postgres)).toBe(false);

    const again = await startProgram({ KEYWARD_DATA_DIR: directory });
    const next = await rootClient(again, directory);
    const total = async () => (await usageOf(next, id)).total;
    // What was flushed last is folded a second after the start.
    await expect.poll(total, UNDER_LOAD).toBe(load.answered.length);
    expect(await verdictOf(next, key)).toBe('VALID');
  });

  it('a stop finishes the requests in flight, and does not wait for a client that stays connected', async () => {
    const database = await createTestDatabase();
    const program = await startProgram({ DATABASE_URL: database.url, KEYWARD_ROOT_KEY: ROOT_KEY });
    const socket = await openUnfinishedRequest(program.url);
    const ended = program.end('SIGTERM');
    await vi.waitFor(() => expect(refuses(program.url)).resolves.toBe(true), UNDER_LOAD);
    const answered = once(socket, 'data');
    socket.write('{"key": "none"}');
    expect(String(await answered)).toMatch(/^HTTP\/1.1 200 /);
    expect(await ended, program.stdout()).toEqual({ code: 0, signal: null });
    await database.drop();
  });

  it.each([
    ['SIGTERM', emptyDataFolder],
    ['SIGINT', dataFolder],
    ['SIGHUP', dataFolder],
  ] as const)(
    'a %s while the embedded database starts is a clean stop that leaves no process behind',
    async (signal, makeFolder) => {
      const directory = await makeFolder();
      const program = launchProgram({ KEYWARD_DATA_DIR: directory });
      const postgres = await pidOfStarting(directory);
      expect(await program.end(signal), program.stderr()).toEqual({ code: 0, signal: null });
      expect(program.stderr()).toBe('');
      expect(isRunning(postgres)).toBe(false);
      if (process.platform === 'linux') expect(await processesOn(directory)).toEqual([]);
    },
  );

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    'a command that a %s interrupts ends with the code of its signal and leaves no process behind',
    async (signal, code) => {
      const directory = await dataFolder();
      const args = ['audit', 'verify'];
      const command = launchProgram({ KEYWARD_DATA_DIR: directory }, { args });
      const postgres = await pidOfStarting(directory);
      expect(await command.end(signal)).toEqual({ code, signal: null });
      expect(isRunning(postgres)).toBe(false);
      if (process.platform === 'linux') expect(await processesOn(directory)).toEqual([]);
    },
  );

  it('a second signal ends the program at once, whatever it is still waiting for', async () => {
    const database = await createTestDatabase();
    const program = await startProgram({
      DATABASE_URL: database.url,
      KEYWARD_ROOT_KEY: ROOT_KEY,
      // The first signal alone would end it long after the limit of this test.
      KEYWARD_SHUTDOWN_SECONDS: '3600',
    });
    const blocker = await connectTo(database.url);
    await blocker.query('begin; lock table keys in access exclusive mode');
    const authorization = `Bearer ${ROOT_KEY}`;
    const unanswered = fetch(`${program.url}/v1/keys`, { headers: { authorization } }).catch(
      () => {},
    );
    await untilWaiting(database.url, 1);
    const stopped = program.end('SIGTERM');
    await vi.waitFor(() => expect(refuses(program.url)).resolves.toBe(true), UNDER_LOAD);
    // What follows the first signal within half a second counts as the same one.
    const impatient = setInterval(() => program.child.kill('SIGTERM'), 50);
    expect(await stopped).toEqual({ code: 1, signal: null });
    clearInterval(impatient);
    await unanswered;
    await blocker.end();
    await database.drop();
  });
});

/** The pid of an embedded database as soon as its process is there, before it can be used. */
async function pidOfStarting(directory: string): Promise<number> {
  const pid = () => postgresPid(directory);
  await vi.waitFor(() => expect(pid()).resolves.toBeDefined(), { timeout: 60_000, interval: 5 });
  return (await pid()) ?? 0;
}

/** Sends a request without its body, for which a graceful stop waits a second. */
async function openUnfinishedRequest(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  const head =
    'POST /v1/verify HTTP/1.1\r\nhost: keyward\r\ncontent-type: application/json\r\n' +
    `authorization: Bearer ${ROOT_KEY}\r\n`;
  socket.write(`${head}expect: 100-continue\r\ncontent-length: 15\r\n\r\n`);
  // The interim response shows that the server has started to process the request.
  await once(socket, 'data');
  return socket;
}

function refuses(url: string): Promise<boolean> {
  return fetch(`${url}/livez`).then(
    ({ ok }) => !ok,
    () => true,
  );
}
