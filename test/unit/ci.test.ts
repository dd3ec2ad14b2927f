import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../scripts/ci/run-command.ts';
import { SUITES } from '../../scripts/ci/suites.ts';
import { countsOf, failuresOf, type Result, tableOf, totalOf } from '../../scripts/ci/summary.ts';
import { temporaryFolder } from '../support/folder.ts';
import { isRunning } from '../support/program.ts';

const passing = {
  name: 'test/passing.test.ts',
  status: 'passed',
  message: '',
  assertionResults: [{ status: 'passed', fullName: 'a test that passes', failureMessages: [] }],
};
const broken = {
  name: 'test/broken.test.ts',
  status: 'failed',
  message: 'Cannot find module',
  assertionResults: [],
};
const failing = {
  name: 'test/failing.test.ts',
  status: 'failed',
  message: '',
  assertionResults: [
    {
      status: 'failed',
      fullName: 'a test that fails',
      failureMessages: [`\u001b[31mTimeout\u001b[39m\n${'x'.repeat(1000)}\n${'\n'.repeat(100)}end`],
    },
  ],
};
const report = {
  numPassedTests: 7,
  numFailedTests: 0,
  numPendingTests: 2,
  numTodoTests: 1,
  testResults: [passing],
};

describe('the counts of a suite', () => {
  it('a suite that leaves no report counts as one test, that passed or failed as the command did', () => {
    expect(countsOf(true, null)).toEqual({ passed: 1, failed: 0, skipped: 0 });
    expect(countsOf(false, null)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('a suite with a report counts as its tests, skipped ones apart', () => {
    expect(countsOf(true, report)).toEqual({ passed: 7, failed: 0, skipped: 3 });
  });

  it('a file that cannot be loaded counts as failed, and one with a failed test not twice', () => {
    const testResults = [passing, broken, failing];
    const counts = countsOf(false, { ...report, numFailedTests: 1, testResults });
    expect(counts).toMatchObject({ passed: 7, failed: 2 });
  });

  it('a suite whose command fails has failed, though its report says that every test passed', () => {
    expect(countsOf(false, report)).toMatchObject({ passed: 7, failed: 1 });
  });
});

describe('why a suite failed', () => {
  const lines = (text: string) => text.split('\n').filter((line) => line !== '');

  it('each failed test is named with why, without colours and cut to what a window shows', () => {
    const why = failuresOf({ ...report, testResults: [passing, broken, failing] });
    expect(why.flatMap(lines)).toEqual([
      '✗ test/broken.test.ts',
      'Cannot find module',
      '✗ test/failing.test.ts > a test that fails',
      'Timeout',
      `${'x'.repeat(200)} …`,
    ]);
  });

  it('a suite without a failed test has nothing to tell but its log', () => {
    expect(failuresOf(report)).toEqual([]);
  });
});

describe('the table', () => {
  const results: Result[] = [
    { name: 'tests', passed: 7, failed: 0, skipped: 3, seconds: 12.4, note: '' },
    { name: 'fuzz', passed: 0, failed: 1, skipped: 0, seconds: 300, note: 'ended after 5 minutes' },
    { name: 'browser', passed: 0, failed: 0, skipped: 1, seconds: 0, note: 'skipped: no chromium' },
  ];

  it('the summary has a row for each suite with what passed, failed, was skipped and why, and the total', () => {
    const [head, , ...rows] = tableOf(results)
      .trim()
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()));
    expect(head).toEqual(['', '', 'suite', 'passed', 'failed', 'skipped', 'seconds', '', '']);
    expect(rows).toEqual([
      ['', '✓', 'tests', '7', '0', '3', '12', '', ''],
      ['', '✗', 'fuzz', '0', '1', '0', '300', 'ended after 5 minutes', ''],
      ['', '–', 'browser', '0', '0', '1', '0', 'skipped: no chromium', ''],
      ['', '✗', 'total', '7', '1', '4', '312', '', ''],
    ]);
  });

  it('every line of the summary is as wide as the others', () => {
    const widths = new Set(
      tableOf(results)
        .trim()
        .split('\n')
        .map((line) => line.length),
    );
    expect(widths.size).toBe(1);
  });

  it('the totals add up what every suite counted', () => {
    expect(totalOf(results)).toMatchObject({ passed: 7, failed: 1, skipped: 4 });
  });
});

describe('a suite that runs', () => {
  const start = async (command: string, limitMs: number) => {
    const log = join(await temporaryFolder('keyward-ci-'), 'log');
    const ended = await runCommand(command, { log, isShown: true, limitMs, env: process.env });
    return { ...ended, output: readFileSync(log, 'utf8').trim() };
  };

  it('a suite succeeds as its command does, and what it prints is kept', async () => {
    const ended = await start('echo done; echo also >&2', 20_000);
    expect(ended).toMatchObject({ succeeded: true, cut: false });
    expect(ended.output.split('\n').sort()).toEqual(['also', 'done']);
    expect(await start('exit 3', 20_000)).toMatchObject({ succeeded: false, cut: false });
  });

  it('a suite that hangs is ended at its limit with everything that it started, and has failed', async () => {
    const { output, ...ended } = await start('sleep 600 & echo $!; wait', 500);
    expect(ended).toMatchObject({ succeeded: false, cut: true });
    await expect.poll(() => isRunning(Number(output))).toBe(false);
  });

  it('what a suite leaves running is ended with it, and does not keep the next one waiting', async () => {
    const { output, ...ended } = await start('sleep 600 & echo $!', 20_000);
    expect(ended).toMatchObject({ succeeded: true, cut: false });
    await expect.poll(() => isRunning(Number(output))).toBe(false);
  });
});

describe('the suites', () => {
  it('each suite of CI has a name of its own and a limit, and a command that exists', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    const exists = (command: string) => {
      const [first = '', ...words] = command.split(' ');
      const script = words.find((word) => word !== 'run' && !word.startsWith('-')) ?? '';
      return first === 'npm' ? script in scripts : existsSync(first);
    };
    expect(SUITES.filter(({ command }) => !exists(command))).toEqual([]);
    expect(SUITES.filter(({ minutes }) => minutes <= 0 || minutes > 15)).toEqual([]);
    expect(new Set(SUITES.map(({ name }) => name)).size).toBe(SUITES.length);
  });

  it('each folder of tests that npm test leaves out is run by a script that a suite of CI runs', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    const [, left = ''] = /--exclude 'test\/\{([\w,]+)\}/.exec(scripts.test) ?? [];
    const commands = SUITES.flatMap(({ command }) => {
      const [, name = ''] = /npm run --silent (\S+)/.exec(command) ?? [];
      return existsSync(scripts[name] ?? '') ? [readFileSync(scripts[name], 'utf8')] : [];
    });
    const isRun = (folder: string) =>
      commands.some((text) => new RegExp(`^exec vitest run.* test/${folder}\\b`, 'm').test(text));
    expect(left.split(',').length).toBeGreaterThan(3);
    expect(left.split(',').filter((folder) => !isRun(folder))).toEqual([]);
  });

  it('every script of package.json that tests is a suite of CI or is named as one that is not', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    // Hours, or parts of what runs anyway.
    const left = ['test:mutation', 'test:model', 'check:memory'];
    const tests = Object.keys(scripts).filter((name) => /^(test|check|fuzz)/.test(name));
    const run = (name: string) => SUITES.some(({ command }) => `${command} `.includes(` ${name} `));
    expect(tests.filter((name) => !run(name) && !left.includes(name))).toEqual([]);
  });
});
