import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explained } from '../../scripts/explained-options.ts';
import { reportOf } from './report.ts';
import { type Outcome, runRound } from './round.ts';
import { SEEDED_BUGS } from './seeded-bugs.ts';

/**
 * The history checker. Without options it runs for a minute; `--minutes 10` is the acceptance run.
 * `--bug NAME` seeds a bug first, and succeeds when it is caught; `--bug all` tries each.
 * Neighbours attack the service in a run without a bug, unless `--no-attackers` is given.
 */
const { values } = parseArgs({
  options: explained({
    minutes: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    bug: { type: 'string' },
    attackers: { type: 'boolean', default: true },
  }),
  allowNegative: true,
});
const RESULTS = fileURLToPath(new URL('results', import.meta.url));
const BUG_ROUND_MS = 30_000;
const BUG_DEADLINE_MS = 300_000;

const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const durationMs = values.seconds
  ? Number(values.seconds) * 1000
  : Number(values.minutes ?? 1) * 60_000;
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => {
    log(`${name}: ending early`);
    interrupted.abort();
  });
}

process.exitCode = (await main()) ? 0 : 1;

function main(): Promise<boolean> {
  log(`seed ${seed}`);
  if (values.bug === undefined) return runClean();
  return values.bug === 'all' ? runEveryBug() : catchBug(values.bug).then(({ ms }) => ms !== null);
}

async function runClean(): Promise<boolean> {
  const { history, violations } = await round(null, seed, durationMs, 'clean');
  process.stdout.write(`\nseed           ${seed}\n${reportOf(history, violations)}`);
  return violations.length === 0 && !interrupted.signal.aborted;
}

async function runEveryBug(): Promise<boolean> {
  const rows: string[] = [];
  let all = true;
  for (const [name, { description }] of Object.entries(SEEDED_BUGS)) {
    const { ms, by } = await catchBug(name);
    all &&= ms !== null;
    const outcome = ms === null ? 'NOT CAUGHT' : `${Math.round(ms / 1000)} s`;
    rows.push(`| ${name} | ${description} | ${outcome} | ${by} |`);
    if (interrupted.signal.aborted) break;
  }
  process.stdout.write(
    `\n| bug | what is wrong | caught after | by |\n| --- | --- | --- | --- |\n`,
  );
  process.stdout.write(`${rows.join('\n')}\n`);
  return all;
}

/** Runs short rounds until one shows the bug. The time is that of all rounds, starts included. */
async function catchBug(name: string): Promise<{ ms: number | null; by: string }> {
  const bug = SEEDED_BUGS[name];
  if (!bug) throw new Error(`no such bug: ${name}; known: ${Object.keys(SEEDED_BUGS).join(', ')}`);
  const started = performance.now();
  for (let turn = 0; performance.now() - started < BUG_DEADLINE_MS; turn++) {
    const { violations } = await round([name, bug], seed + turn, BUG_ROUND_MS, name);
    const [first] = violations;
    const ms = performance.now() - started;
    if (first) {
      log(`${name}: caught after ${Math.round(ms / 1000)} s; ${first.promise}: ${first.what}`);
      return { ms, by: [...new Set(violations.map(({ promise }) => promise))].join(', ') };
    }
    if (interrupted.signal.aborted) break;
  }
  log(`${name}: NOT CAUGHT`);
  return { ms: null, by: '' };
}

function round(
  bug: Parameters<typeof runRound>[0]['bug'],
  own: number,
  ms: number,
  folder: string,
): Promise<Outcome> {
  const started = performance.now();
  let before = 0;
  return runRound({
    seed: own,
    durationMs: ms,
    bug,
    hasAttackers: bug === null && values.attackers,
    results: join(RESULTS, folder),
    signal: interrupted.signal,
    onProgress: ({ calls, faults, attacks }) => {
      const seconds = Math.round((performance.now() - started) / 1000);
      log(
        `${seconds} s: ${Math.round((calls - before) / 10)} calls/s; ${faults} faults, ${attacks} attacks so far`,
      );
      before = calls;
    },
  });
}

function log(line: string): void {
  process.stdout.write(`${line}\n`);
}
