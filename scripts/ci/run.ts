import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { runCommand } from './run-command.ts';
import { SUITES, type Suite } from './suites.ts';
import {
  countsOf,
  failuresOf,
  type Report,
  type Result,
  shortened,
  tableOf,
  totalOf,
} from './summary.ts';
import { install, isInstalled } from './tools.ts';

/**
 * Runs the suites that are named, or all, one after the other but for those that run alongside. `.ci/run`
 * calls it in the root of the repository. The last line tells how many tests passed and failed.
 */
const REPORTS = resolve('reports');
/** Lines of the log of a suite that failed without a report, which are printed again at the end. */
const LOG_TAIL_LINES = 60;
/** Programs that Debian keeps for root. */
const PATH = `${process.env.PATH}:/usr/sbin`;

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => interrupted.abort());
}

process.env.PATH = PATH;
process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !SUITES.some((suite) => suite.name === name));
  const suites = SUITES.filter(({ name }) => names.length === 0 || names.includes(name));
  await rm(REPORTS, { recursive: true, force: true });
  await mkdir(REPORTS, { recursive: true });
  install([...new Set(suites.flatMap(({ needs = [], uses = [] }) => [...needs, ...uses]))]);
  const results = unknown.map((name) => failure(name, 'there is no such suite'));
  const alongside: Promise<Result>[] = [];
  for (const suite of suites) {
    if (suite.runsAlongside) alongside.push(run(suite));
    else results.push(await run(suite));
  }
  results.push(...(await Promise.all(alongside)));
  for (const { name } of results.filter(({ failed }) => failed > 0)) printWhyFailed(name);
  const table = tableOf(results);
  await writeFile(join(REPORTS, 'summary.md'), table);
  const { passed, failed } = totalOf(results);
  process.stdout.write(`\n${table}\n${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

async function run(suite: Suite): Promise<Result> {
  const { name, command, minutes, needs = [], uses = [], runsAlongside = false } = suite;
  if (interrupted.signal.aborted) return failure(name, 'not run: interrupted');
  const missing = needs.filter((tool) => !isInstalled(tool));
  if (missing.length > 0) return skip(name, `skipped: no ${missing.join(', ')}`);
  process.stdout.write(`\n== ${name}: ${command}\n`);
  const file = reportPathOf(name);
  const ended = await runCommand(command, {
    log: `${file}.log`,
    isShown: !runsAlongside,
    limitMs: minutes * 60_000,
    env: { ...process.env, CI: '1', KEYWARD_TEST_REPORT: `${file}.json` },
    signal: interrupted.signal,
  });
  const counts = countsOf(ended.succeeded, reportIn(`${file}.json`));
  const without = uses.filter((tool) => !isInstalled(tool));
  const notes = [
    ended.cut ? `ended after ${minutes} minutes` : '',
    without.length > 0 ? `without ${without.join(', ')}` : '',
  ];
  process.stdout.write(`== ${name} ${counts.failed > 0 ? 'FAILED' : 'passed'}\n`);
  return { name, ...counts, seconds: ended.seconds, note: notes.filter(Boolean).join('; ') };
}

/** Where a suite leaves its log and its report, each with an ending of its own. */
function reportPathOf(name: string): string {
  return join(REPORTS, name.toLowerCase().replaceAll(/\W+/g, '-'));
}

/** Printed at the end, because later suites may have printed much since. */
function printWhyFailed(name: string): void {
  const file = reportPathOf(name);
  const report = reportIn(`${file}.json`);
  const failures = report === null ? [] : failuresOf(report);
  if (failures.length > 0) process.stdout.write(`\n== why ${name} failed\n${failures.join('\n')}`);
  else if (existsSync(`${file}.log`)) {
    const end = readFileSync(`${file}.log`, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
    process.stdout.write(`\n== the end of ${file}.log\n${shortened(end.join('\n'), end.length)}\n`);
  }
}

function reportIn(file: string): Report | null {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

function failure(name: string, note: string): Result {
  return { name, passed: 0, failed: 1, skipped: 0, seconds: 0, note };
}

function skip(name: string, note: string): Result {
  return { name, passed: 0, failed: 0, skipped: 1, seconds: 0, note };
}
