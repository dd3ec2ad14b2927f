import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv, promisify } from 'node:util';
import pg from 'pg';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { clientOf, createKey, verdictOf } from '../support/client.ts';
import { connect } from '../support/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { runProgram, startProgram } from '../support/program.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const fileOf = (name: string) => readFile(join(ROOT, name), 'utf8');

/** Runs scripts/make-env.sh in a folder that is laid out as a clone. */
async function makeEnv(folder: string) {
  await mkdir(join(folder, 'scripts'), { recursive: true });
  await cp(join(ROOT, 'scripts/make-env.sh'), join(folder, 'scripts/make-env.sh'));
  const { stdout } = await promisify(execFile)('sh', ['scripts/make-env.sh'], { cwd: folder });
  return { stdout, text: await readFile(join(folder, '.env'), 'utf8') };
}

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe('scripts/make-env.sh', () => {
  it('make-env.sh makes a .env for its owner alone, outside of git, and a second run changes nothing', async () => {
    const folder = await temporaryFolder('keyward-env-');
    const first = await makeEnv(folder);
    expect(first.stdout).toMatch(/^Made in \.env: OWNER_PASSWORD .* GRAFANA_PASSWORD\.\n$/);
    expect(Object.values(parseEnv(first.text))).toEqual(
      Array.from({ length: 7 }, () => expect.stringMatching(/^[0-9a-f]{64}$/)),
    );
    expect(new Set(Object.values(parseEnv(first.text))).size).toBe(7);
    expect(await modeOf(join(folder, '.env'))).toBe('600');
    expect((await fileOf('.gitignore')).split('\n')).toContain('.env');

    const second = await makeEnv(folder);
    expect(second).toEqual({
      stdout: '.env has every secret already; nothing was changed.\n',
      text: first.text,
    });
  });

  it('make-env.sh adds only what a .env lacks, and makes the file unreadable for others', async () => {
    const folder = await temporaryFolder('keyward-env-');
    await writeFile(join(folder, '.env'), 'PORT=1\nOWNER_PASSWORD=mine');
    await chmod(join(folder, '.env'), 0o644);
    const { stdout, text } = await makeEnv(folder);
    expect(stdout).not.toContain('OWNER_PASSWORD');
    expect(text).toMatch(/^PORT=1\nOWNER_PASSWORD=mine\nRUNTIME_PASSWORD=/);
    expect(await modeOf(join(folder, '.env'))).toBe('600');
  });
});

interface Compose {
  services: Record<'postgres' | 'migrate' | 'keyward', ComposeService>;
}

interface ComposeService {
  command?: string;
  environment: Record<string, string>;
}

/** docker-compose.yml with the values of a .env, as compose fills them in. */
async function composeWith(env: NodeJS.Dict<string>): Promise<Compose> {
  const text = (await fileOf('docker-compose.yml')).replaceAll(
    /\$\{(\w+)(?::\?[^}]*)?\}/g,
    (_, name) => env[name] ?? `<${name} is missing>`,
  );
  return parse(text, { merge: true });
}

/** A database with the role that deploy/compose/roles.sql makes; names are those of this run. */
async function makeDatabase(own: string, { environment }: ComposeService) {
  const server = inject('postgresUrl');
  const sql = (await fileOf('deploy/compose/roles.sql'))
    .replace(/^\\getenv password RUNTIME_PASSWORD$/m, '')
    .replace(":'password'", pg.escapeLiteral(environment.RUNTIME_PASSWORD ?? ''))
    .replaceAll('keyward_runtime', `${own}_runtime`)
    .replaceAll('DATABASE keyward ', `DATABASE ${own} `);
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`create role ${own}_owner superuser login
    password ${pg.escapeLiteral(environment.POSTGRES_PASSWORD ?? '')}`);
  await admin.query(`create database ${own} owner ${own}_owner`);
  await admin.query(sql);
  onTestFinished(async () => {
    await admin.query(`drop database ${own} with (force)`);
    await admin.query(`drop role ${own}_owner`);
    await admin.query(`drop role ${own}_runtime`);
    await admin.end();
  });
}

describe('docker-compose.yml', { timeout: 60_000 }, () => {
  it('the commands and settings of docker-compose.yml bring up a service that runs as keyward_runtime', async () => {
    const folder = await temporaryFolder('keyward-env-');
    const env = parseEnv((await makeEnv(folder)).text);
    const { postgres, migrate, keyward } = (await composeWith(env)).services;
    expect(JSON.stringify([postgres, migrate, keyward])).not.toContain('is missing');

    const own = `keyward_${randomBytes(6).toString('hex')}`;
    await makeDatabase(own, postgres);
    const here = ({ environment }: ComposeService) => {
      const url = new URL(environment.DATABASE_URL ?? '');
      url.username = url.username.replace('keyward', own);
      const { host, search } = new URL(inject('postgresUrl'));
      Object.assign(url, { host, search, pathname: `/${own}` });
      return { ...environment, DATABASE_URL: url.href };
    };
    const lines = /^sh -c "(.*)"$/.exec(migrate.command ?? '')?.[1]?.split(' && ') ?? [];
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const [program, ...args] = line.replace('keyward_', `${own}_`).split(' ');
      expect(program).toBe('keyward');
      expect(await runProgram(here(migrate), { args })).toMatchObject({ code: 0, stderr: '' });
    }

    const program = await startProgram(here(keyward));
    const client = clientOf(program.url, env.KEYWARD_ROOT_KEY ?? '');
    const { key } = await createKey(client, 'composed');
    expect(await verdictOf(client, key)).toBe('VALID');
    const observer = await connect(here(migrate).DATABASE_URL);
    const { rows } = await observer.query(
      `select distinct usename from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
    );
    expect(rows).toEqual([{ usename: `${own}_runtime` }]);
    await program.end('SIGTERM');
  });
});
