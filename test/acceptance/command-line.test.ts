import { execFile } from 'node:child_process';
import { cp, readFile, stat, symlink } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import {
  checkout,
  endOf,
  interrupt,
  runInTerminal,
  shellEnvironment,
} from '../support/checkout.ts';
import { temporaryFolder } from '../support/folder.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
async function run(
  file: string,
  args: string[],
  cwd: string,
  settings: Record<string, string> = {},
): Promise<Outcome> {
  const env = { ...shellEnvironment(), ...settings };
  return promisify(execFile)(file, args, { cwd, env }).then(
    (output) => ({ code: 0, ...output }),
    ({ code, stdout, stderr }: Outcome) => ({ code, stdout, stderr }),
  );
}

describe('keyward in a clone', { timeout: 120_000 }, () => {
  it('npx keyward runs the commands of a clone in each of its folders, with every option and no warning', async () => {
    const folder = await checkout();
    const cache = { npm_config_cache: await temporaryFolder('keyward-npx-') };
    expect(await run('npx', ['keyward', '--version'], folder, cache)).toEqual({
      code: 0,
      stdout: `${manifest.version}\n`,
      stderr: '',
    });
    const args = ['keyward', 'audit', 'prune', '--workspace', 'acme', '--before', 'yesterday'];
    expect(await run('npx', args, join(folder, 'src'), cache)).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^keyward: --before TIME is needed, .*\n$/),
    });
  });

  it('a Node that is too old for Keyward is refused in one sentence, which says where a newer one is', async () => {
    const old = `Object.defineProperties(process, {
      version: { value: 'v20.9.0' }, versions: { value: { node: '20.9.0' } } })`;
    const args = ['--import', `data:text/javascript,${encodeURIComponent(old)}`, 'bin/keyward.js'];
    expect(await run(process.execPath, args, ROOT)).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^keyward: this is Node v20\.9\.0, .*22\.18 .*`npm ci`.*\n$/),
    });
  });

  it('a clone without its packages says that npm ci is missing', async () => {
    const folder = await temporaryFolder('keyward-bare-');
    for (const name of ['package.json', 'bin', 'src']) {
      await cp(join(ROOT, name), join(folder, name), { recursive: true });
    }
    expect(await run(process.execPath, ['bin/keyward.js', '--version'], folder)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'keyward: its packages are not installed; run `npm ci` first.\n',
    });
  });

  it('a command whose reader stops reading, as head does, ends with its own exit code and no error', async () => {
    const line = `"$1" bin/keyward.js help | true; echo "\${PIPESTATUS[0]}"`;
    const args = ['-c', line, 'bash', process.execPath];
    expect(await run('bash', args, ROOT)).toEqual({ code: 0, stdout: '0\n', stderr: '' });
  });
});

describe('keyward in the image', () => {
  it('keyward on the PATH through a link, as the image has it, runs the commands', async () => {
    const folder = await temporaryFolder('keyward-path-');
    await symlink(join(ROOT, 'bin/keyward.js'), join(folder, 'keyward'));
    const PATH = [folder, dirname(process.execPath)].join(delimiter);
    expect(await run('keyward', ['--version'], '/', { PATH })).toEqual({
      code: 0,
      stdout: `${manifest.version}\n`,
      stderr: '',
    });
  });

  it('the Dockerfile copies what keyward needs, puts it on the PATH and starts it', async () => {
    const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
    const ignored = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
      ([, sources = '']) => sources.split(' '),
    );
    expect(copied).toEqual(expect.arrayContaining(['package.json', 'bin', 'src', 'migrations']));
    // A folder that is let in has its files with it.
    const isLetIn = (source: string) =>
      [source, dirname(source)].some((it) => ignored.includes(`!${it}`));
    expect(copied.filter((source) => !isLetIn(source))).toEqual([]);
    expect(dockerfile).toContain('RUN ln -s /app/bin/keyward.js /usr/local/bin/keyward\n');
    expect(dockerfile).toMatch(/^CMD \["keyward", "start"\]$/m);
    expect((await stat(join(ROOT, 'bin/keyward.js'))).mode & 0o111).toBe(0o111);
  });
});

/** The last line comes once the database is gone. */
const COUNTED_AND_STOPPED = /"counters".*"stopped".*"database".*"stopped"/s;

describe('a signal to npm', { timeout: 120_000 }, () => {
  it.each(['npm start', 'npx keyward'])(
    'a SIGTERM to %s alone stops Keyward and its database, and writes the counters first',
    async (line) => {
      const terminal = await runInTerminal(`exec ${line}`, await checkout());
      terminal.child.kill('SIGTERM');
      await endOf(terminal);
      await expect.poll(terminal.output).toMatch(COUNTED_AND_STOPPED);
    },
  );

  it.each(['sh', 'bash'])(
    'a Ctrl-C that npm passes on a second time through %s is one stop, and a clean one',
    async (shell) => {
      const settings = { npm_config_script_shell: shell };
      const terminal = await runInTerminal('npm start', await checkout(), settings);
      interrupt(terminal.child);
      await endOf(terminal);
      await expect.poll(terminal.output).toMatch(COUNTED_AND_STOPPED);
    },
  );
});
