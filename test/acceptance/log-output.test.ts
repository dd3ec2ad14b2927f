import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { dataFolder } from '../support/data-folder.ts';
import { launchProgram, startProgram } from '../support/program.ts';

/** Gives the program a terminal, as its only output. */
const TERMINAL = ['script', '--quiet', '--return', '--command'];
const hasTerminals = spawnSync('script', ['--version']).status === 0;

it('outside of a terminal every line is JSON with its level as a word, and one says where the server listens', {
  timeout: 60_000,
}, async () => {
  const program = await startProgram({ KEYWARD_DATA_DIR: await dataFolder() });
  await fetch(`${program.url}/readyz`);
  await program.end('SIGTERM');
  const lines = program
    .stdout()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const { level } of lines) expect(['info', 'warn']).toContain(level);
  for (const { event } of lines) expect(event).toMatch(/^(request|start\.\w+|stop\.phase_done)$/);
  const listening = lines.filter(({ msg }) => msg.startsWith('Server listening'));
  expect(listening).toMatchObject([{ level: 'info', msg: `Server listening at ${program.url}` }]);
  expect(program.stderr()).toBe('');
});

it.skipIf(!hasTerminals)(
  'on a terminal the lines are for people, with a banner and without JSON',
  {
    timeout: 60_000,
  },
  async () => {
    const directory = await dataFolder();
    const main = new URL('../../src/main.ts', import.meta.url).pathname;
    const command = `${process.execPath} ${main}`;
    const [program = '', ...words] = [...TERMINAL, command, '/dev/null'];
    const terminal = launchProgram(
      { KEYWARD_DATA_DIR: directory, SHELL: '/bin/sh' },
      { command: [program, ...words] },
    );
    await expect.poll(terminal.stdout, { timeout: 30_000 }).toContain('Create a key:');
    const text = terminal.stdout();
    expect(text).toMatch(/INFO.*Server listening at http:/);
    expect(text.match(/Server listening/g)).toHaveLength(1);
    expect(text).toContain(`root key   ${directory}/root-key`);
    expect(text).not.toContain('{"level"');
    await terminal.end('SIGTERM');
  },
);
