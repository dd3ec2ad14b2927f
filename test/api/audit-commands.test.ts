import type pg from 'pg';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { setHead, tamper, writeLog } from '../support/audit-log.ts';
import { type CommandOutcome, runInProcess } from '../support/command.ts';
import { dataFolder, emptyDataFolder } from '../support/data-folder.ts';
import { connect, createTestDatabase } from '../support/database.ts';
import { type Instance, launch, TEST_SECRET } from '../support/instance.ts';
import { runProgram, startProgram } from '../support/program.ts';

describe('the commands of an operator', { timeout: 60_000 }, () => {
  let url: string;
  let instance: Instance;
  let sql: pg.Client;

  beforeEach(async () => {
    const database = await createTestDatabase();
    url = database.url;
    instance = await launch(url);
    onTestFinished(async () => {
      await instance.stop();
      await database.drop();
    });
    sql = await connect(url);
  });

  const settings = () => ({ DATABASE_URL: url, KEYWARD_SECRET: TEST_SECRET });
  const keyward = (line: string, more: Record<string, string> = {}): Promise<CommandOutcome> =>
    runInProcess(line.split(' '), { ...settings(), ...more });
  const headOf = async (workspace: string) => {
    const path = `/v1/audit-events/head?workspaceId=${workspace}`;
    const { sequence, hash } = (await instance.call('GET', path)).body;
    return `${sequence}:${hash}`;
  };

  it('audit verify reports for each workspace that its log is intact, and by which means', async () => {
    await writeLog(instance, 'acme', 3);
    await writeLog(instance, 'beta', 1);
    const [acme, beta] = [await headOf('acme'), await headOf('beta')];
    const outcome = await keyward(`audit verify --expect acme:${acme} --expect beta:${beta}`);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expect(outcome.stdout).toMatch(
      new RegExp(
        `^acme: intact, entries 1 to 3; head ${acme}; keyed with the secret [0-9a-f]{16}\n` +
          `beta: intact, entries 1 to 1; head ${beta}; keyed with the secret [0-9a-f]{16}\n$`,
      ),
    );
  });

  it('audit verify exits with 1 if a log is broken, or lacks a head that was kept', async () => {
    await writeLog(instance, 'acme', 3);
    const kept = await headOf('acme');
    await tamper(sql, `delete from audit_events where workspace_id = 'acme' and sequence = 3`);
    expect(await keyward('audit verify --workspace acme')).toMatchObject({
      code: 1,
      stdout: 'acme: broken: the tail was cut: entries 3 to 3 are missing\n',
    });
    const { rows } = await sql.query(
      `select hash from audit_events where workspace_id = 'acme' and sequence = 2`,
    );
    await setHead(sql, 'acme', 2, rows[0].hash);
    expect(await keyward('audit verify')).toMatchObject({ code: 0 });
    expect(await keyward(`audit verify --workspace acme --expect ${kept}`)).toMatchObject({
      code: 1,
      stdout: 'acme: broken: the tail was cut: the log ends at 2, the expected head is 3\n',
    });
    expect(await keyward(`audit verify --expect gone:${kept}`)).toMatchObject({ code: 1 });
    expect(await keyward(`audit verify --workspace gone --expect ${kept}`)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^gone: broken: /),
    });
  });

  it.each(['audit verify', 'audit prune --before 2999-01-01'])(
    '%s --workspace of a workspace that never was is refused, not passed as intact',
    async (line) => {
      await writeLog(instance, 'acme', 1);
      expect(await keyward(`${line} --workspace acne`)).toEqual({
        code: 1,
        stdout: '',
        stderr: 'keyward: --workspace: there is no audit log of acne.\n',
      });
      expect(await keyward(`${line} --workspace default`)).toMatchObject({ code: 0 });
    },
  );

  it('audit verify names the secret that it lacks', async () => {
    await writeLog(instance, 'acme', 1);
    const other = { KEYWARD_SECRET: 'another-secret-0123456789-0123456789' };
    const outcome = await keyward('audit verify', other);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toMatch(/without the KEYWARD_SECRET whose id is [0-9a-f]{16}\n$/);
  });

  it('audit prune removes and records the oldest entries, and audit verify finds the rest intact', async () => {
    await writeLog(instance, 'acme', 3);
    const pruned = await keyward('audit prune --before 2999-01-01 --workspace acme');
    expect(pruned).toMatchObject({ code: 0, stderr: '' });
    expect(pruned.stdout).toMatch(/^acme: dropped 2 entries, up to 2:[0-9a-f]{64}\n$/);
    const { stdout, code } = await keyward('audit verify');
    expect({ stdout, code }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^acme: intact, entries 3 to 4; /),
    });
  });

  it('no command appends to a keyed log without its secret', async () => {
    await writeLog(instance, 'default', 3);
    const bare = { DATABASE_URL: url };
    for (const args of [
      ['audit', 'prune', '--before', '2999-01-01'],
      ['management-key', 'create', '--name', 'x'],
    ]) {
      const outcome = await runInProcess(args, bare);
      expect(outcome).toMatchObject({ code: 1, stdout: '' });
      expect(outcome.stderr).toMatch(
        /^keyward: The audit log of default is keyed; set KEYWARD_SECRET/,
      );
    }
  });

  it('management-key create prints a key that works at once to stdout, and nothing else', async () => {
    const args = ['management-key', 'create', '--name', 'rescue'];
    const { code, stdout, stderr } = await runProgram(settings(), { args });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^kw_[0-9A-Za-z]{65}\n$/);
    const key = stdout.trim();
    expect(stderr).not.toContain(key);
    const made = await instance.call('POST', '/v1/keys', { body: { name: 'a' }, as: key });
    expect(made.status).toBe(201);
    const { body } = await instance.call('GET', '/v1/audit-events?action=management_key.created', {
      as: key,
    });
    expect(body.data).toMatchObject([
      { actor: { type: 'system', id: 'cli' }, after: { name: 'rescue' }, ip: null },
    ]);
    expect(await keyward('audit verify')).toMatchObject({ code: 0 });
  });

  it('management-key create refuses a name that contains the root key or a key of this Keyward', async () => {
    const { key } = (await instance.call('POST', '/v1/keys', { body: { name: 'a' } })).body;
    const rootKey = 'root-key-of-these-tests-0123456789-abcdef';
    for (const name of [key, `old ${key}`, rootKey, `is ${rootKey}`]) {
      const args = ['management-key', 'create', '--name', name];
      const environment = { ...settings(), KEYWARD_ROOT_KEY: rootKey };
      expect(await runInProcess(args, environment)).toEqual({
        code: 1,
        stdout: '',
        stderr: 'keyward: --name contains an API key.\n',
      });
    }
  });

  it('management-key create grants no more than was requested', async () => {
    await writeLog(instance, 'acme', 1);
    const line =
      'management-key create --name r --permissions keys:read,audit:read --workspace acme';
    const key = (await keyward(line)).stdout.trim();
    const missing = await keyward('management-key create --name r --workspace none');
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toMatch(/^keyward: No workspace none; .*\n$/);
    const status = async (path: string) => (await instance.call('GET', path, { as: key })).status;
    expect(await status('/v1/keys')).toBe(200);
    expect(await status('/v1/keys?workspaceId=default')).toBe(404);
    expect(await status('/v1/workspaces')).toBe(403);
  });

  it('a command on a database with an older schema says so and changes nothing', async () => {
    await sql.query('delete from drizzle.__drizzle_migrations');
    const outcome = await keyward('audit verify');
    expect(outcome).toMatchObject({ code: 1, stdout: '' });
    expect(outcome.stderr).toMatch(/^keyward: The schema lacks \d+ migrations .*keyward migrate/);
  });

  it('a command is refused while Keyward runs on the embedded database, and works once it has stopped', async () => {
    const embedded = { KEYWARD_DATA_DIR: await dataFolder() };
    const running = await startProgram(embedded);
    const create = ['management-key', 'create', '--name', 'x'];
    const refused = await runInProcess(create, embedded);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^keyward: another Keyward .* already uses .*root-key/);
    await running.end('SIGTERM');
    const made = await runInProcess(create, embedded);
    expect(made.stdout).toMatch(/^kw_[0-9A-Za-z]{65}\n$/);
    const verified = await runInProcess(['audit', 'verify'], embedded);
    expect(verified).toMatchObject({ code: 0 });
    expect(verified.stdout).toMatch(/^default: intact, entries 1 to 1; .*keyed with/);
  });

  it('a command without any database says so, and creates none', async () => {
    const nowhere = { KEYWARD_DATA_DIR: await emptyDataFolder() };
    const outcome = await runInProcess(['audit', 'verify'], nowhere);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /^keyward: There is no embedded database in .*DATABASE_URL\.\n$/,
    );
    const away = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
    const unreachable = await runInProcess(['audit', 'verify'], away);
    expect(unreachable.stderr).toMatch(/^keyward: The database in DATABASE_URL cannot be reached/);
  });
});

describe('a line that is no command', () => {
  it.each([
    ['--port 80', /^keyward: Unknown option '--port'; .*\n$/],
    ['migrate now', /^keyward: Unexpected argument 'now'; .*\n$/],
    ['audit', /^keyward: There is no command audit; known: .*\n$/],
    ['constructor', /^keyward: There is no command constructor; .*\n$/],
  ])('keyward %s is refused, and nothing is started', async (line, sentence) => {
    expect(await runInProcess(line.split(' '), {})).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(sentence),
    });
  });
});
