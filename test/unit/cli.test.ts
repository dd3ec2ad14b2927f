import { describe, expect, it, vi } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { COMMANDS, runCommand } from '../../src/cli.ts';

/** Runs `keyward LINE` in this process, with these settings alone. */
async function keyward(line: string, settings: NodeJS.ProcessEnv = {}) {
  const stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const textOf = (spy: typeof stdout) => spy.mock.calls.map(([text]) => String(text)).join('');
  try {
    const code = await runCommand(line.split(' '), { ...settings }, new AbortController().signal);
    return { code, stdout: textOf(stdout), stderr: textOf(stderr) };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

describe('the command line', () => {
  it.each(['help', '--help', '-h', 'help help', 'help --help'])(
    'keyward %s lists every command',
    async (line) => {
      const { code, stdout, stderr } = await keyward(line);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const { name, summary } of COMMANDS) {
        expect(stdout).toContain(`\n  ${name} `);
        expect(stdout).toContain(summary);
      }
    },
  );

  it.each(COMMANDS.map(({ name }) => name))(
    'keyward help %s describes each of its options, as --help after it does',
    async (name) => {
      const { code, stdout } = await keyward(`help ${name}`);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Usage: keyward ${name}`));
      const options = COMMANDS.find((command) => command.name === name)?.options ?? {};
      for (const [option, { description }] of Object.entries(options)) {
        expect(stdout).toContain(`\n  --${option}`);
        expect(stdout).toContain(description);
      }
      expect(await keyward(`${name} --help`)).toMatchObject({ code: 0, stdout });
      expect(await keyward(`${name} -h`)).toMatchObject({ code: 0, stdout });
    },
  );

  const FILE = import.meta.filename;

  it.each([
    ['is a file', FILE, `KEYWARD_DATA_DIR: ${FILE}: something else is there already (EEXIST).`],
    [
      'is below a file',
      `${FILE}/data`,
      `KEYWARD_DATA_DIR: ${FILE}/data: a part of its path is not a folder (ENOTDIR).`,
    ],
  ])(
    'a start whose data folder %s fails with a sentence that names it',
    async (_, path, sentence) => {
      const outcome = await keyward('start', {
        KEYWARD_DATA_DIR: path,
        PORT: '0',
        LOG_LEVEL: 'silent',
      });
      expect(outcome).toEqual({ code: 1, stdout: '', stderr: `keyward: ${sentence}\n` });
    },
  );

  it('keyward --version prints the version of the package', async () => {
    expect(await keyward('--version')).toEqual({
      code: 0,
      stdout: `${manifest.version}\n`,
      stderr: '',
    });
  });

  it.each([
    ['audit', 'audit; known: audit verify, audit prune, audit repair'],
    ['audit forget', 'audit forget; known: audit verify, audit prune, audit repair'],
    ['audit forget --help', 'audit forget; known: audit verify, audit prune, audit repair'],
    ['constructor', 'constructor; `keyward help` lists them'],
    ['help nothing', 'nothing; `keyward help` lists them'],
    ['nothing --help', 'nothing; `keyward help` lists them'],
  ])('keyward %s names no command, and is refused in one sentence', async (line, sentence) => {
    expect(await keyward(line)).toEqual({
      code: 1,
      stdout: '',
      stderr: `keyward: There is no command ${sentence}.\n`,
    });
  });

  it.each(['help audit', 'audit --help', 'audit -h'])(
    'keyward %s lists the commands that begin with audit, and no other',
    async (line) => {
      const { code, stdout } = await keyward(line);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^Usage: keyward .*\n {2}audit verify .*\n {2}audit prune /s);
      expect(stdout).not.toContain('migrate');
    },
  );

  it('a command with one argument refuses none and a second one, and points to its help', async () => {
    expect(await keyward('import')).toMatchObject({
      code: 1,
      stderr: 'keyward: Name the FILE: keyward import FILE.\n',
    });
    expect(await keyward('import a.csv b.csv')).toMatchObject({
      code: 1,
      stderr: "keyward: Unexpected argument 'b.csv'; `keyward help import` lists its options.\n",
    });
  });
});
