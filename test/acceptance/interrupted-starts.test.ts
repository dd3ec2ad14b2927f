import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { dataFolder, emptyDataFolder } from '../support/data-folder.ts';
import { connect, createTestDatabase } from '../support/database.ts';
import { processesOn } from '../support/processes.ts';
import {
  launchProgram,
  type Program,
  postgresPid,
  preload,
  startProgram,
} from '../support/program.ts';

const CLEAN = { code: 0, signal: null };
const PATIENT = { timeout: 60_000, interval: 5 };
const PID_1 = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
const canBePid1 = spawnSync(PID_1[0] ?? '', [...PID_1.slice(1), 'true']).status === 0;

async function emptyDatabaseFolder() {
  const directory = await emptyDataFolder();
  const names = (folder: string) => readdir(join(directory, folder)).catch(() => []);
  return { directory, names };
}

/** What the program leaves when it is ended by this signal. */
async function endsCleanly(program: Program, directory: string, signal: NodeJS.Signals) {
  expect(await program.end(signal), program.stderr()).toEqual(CLEAN);
  expect(program.stderr()).toBe('');
  expect(await processesOn(directory)).toEqual([]);
}

describe.skipIf(process.platform !== 'linux')(
  'a start that is interrupted',
  {
    timeout: 120_000,
  },
  () => {
    it('a SIGTERM while the embedded database is created is a clean stop that leaves no process', async () => {
      const { directory, names } = await emptyDatabaseFolder();
      const program = launchProgram({ KEYWARD_DATA_DIR: directory });
      const inProgress = async () =>
        expect(await names('postgres')).toContainEqual(expect.stringMatching(/^initdb-/));
      await vi.waitFor(inProgress, PATIENT);
      await endsCleanly(program, directory, 'SIGTERM');
      expect((await names('postgres')).filter((name) => /^(initdb|owner)-/.test(name))).toEqual([]);
    });

    it.each(['src/cli.ts', 'src/db/schema.ts', 'src/start.ts'])(
      'a SIGTERM while %s is loaded is a clean stop, and nothing was started',
      async (file) => {
        const { directory, names } = await emptyDatabaseFolder();
        const settings = { KEYWARD_DATA_DIR: directory, KEYWARD_TEST_SIGNAL_AT: file };
        const program = launchProgram({ ...settings, ...preload('signal-while-loading') });
        expect(await program.ended).toEqual(CLEAN);
        expect(program.stdout() + program.stderr()).toBe('');
        expect(await names('.')).toEqual([]);
      },
    );

    it.skipIf(!canBePid1)('process 1 of a container takes a SIGTERM while it loads', async () => {
      const { directory } = await emptyDatabaseFolder();
      const settings = { KEYWARD_DATA_DIR: directory, KEYWARD_TEST_SIGNAL_AT: 'src/cli.ts' };
      const program = launchProgram(
        { ...settings, ...preload('signal-while-loading') },
        { prefix: PID_1 },
      );
      expect(await program.ended, program.stderr()).toEqual(CLEAN);
    });

    it('a SIGTERM while the service waits for a row of its database is a clean stop', async () => {
      const database = await createTestDatabase();
      onTestFinished(() => database.drop());
      const sql = await connect(database.url);
      await sql.query('begin; lock table installation');
      const program = launchProgram({ DATABASE_URL: database.url });
      const waiting = async () => {
        const { rowCount } = await sql.query(`
        select from pg_locks
         where not granted and relation = 'installation'::regclass`);
        expect(rowCount).toBeGreaterThan(0);
      };
      await vi.waitFor(waiting, PATIENT);
      expect(await program.end('SIGTERM'), program.stderr()).toEqual(CLEAN);
    });
  },
);

describe.skipIf(process.platform !== 'linux')(
  'a program on the embedded database',
  {
    timeout: 120_000,
  },
  () => {
    it('a signal that arrives twice at once, as Ctrl-C under npm does, is one clean stop', async () => {
      const directory = await dataFolder();
      const program = await startProgram({ KEYWARD_DATA_DIR: directory });
      program.child.kill('SIGINT');
      await endsCleanly(program, directory, 'SIGINT');
    });

    it('a program whose embedded database is killed stops once and says why in one sentence', async () => {
      const directory = await dataFolder();
      const program = await startProgram({ KEYWARD_DATA_DIR: directory });
      process.kill((await postgresPid(directory)) ?? 0, 'SIGKILL');
      expect(await program.ended).toEqual({ code: 1, signal: null });
      expect(program.stderr()).toMatch(/^keyward: The embedded database ended unexpectedly; .*\n$/);
      const ended = program.stdout().match(/"phase":"\w+"/g);
      const phases = ['requests', 'counters', 'connections', 'database'];
      expect(ended).toEqual(phases.map((name) => `"phase":"${name}"`));
    });
  },
);
