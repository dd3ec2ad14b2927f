import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explained } from '../../scripts/explained-options.ts';
import { chosen, SCENARIOS } from './catalogue.ts';
import { AttackEnv } from './harness/env.ts';
import { measureBaseline, notMade, runScenario } from './harness/phase.ts';
import type { Measured } from './harness/samples.ts';
import { isKept, markdownOf, progressOf, type Row, summaryOf } from './report.ts';
import { judge } from './rules.ts';
import { GROUPS, type Scenario } from './scenario.ts';

/**
 * Attacks on a running service, with customers of other workspaces beside them. `--list` names the
 * scenarios, `--only NAME` runs one, a family or a group, `--seconds N` says how long each takes,
 * `--markdown` prints the table of docs/security.md too, and `--smoke` looks for a second at what
 * needs no clock. Exits with 1 if a rule is broken.
 */
const { values } = parseArgs({
  options: explained({
    only: { type: 'string' },
    seconds: { type: 'string' },
    list: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
  }),
});
const RESULTS = fileURLToPath(new URL('results', import.meta.url));
const SECONDS = 10;
const SMOKE_SECONDS = 1;
const seconds = Number(values.seconds ?? (values.smoke ? SMOKE_SECONDS : SECONDS));
const LOG = join(RESULTS, 'service.log');

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => interrupted.abort());
}

process.exitCode = values.list ? list() : await main();

function list(): number {
  for (const { name, does } of chosen(values.only)) log(`${name.padEnd(44)} ${does}`);
  return 0;
}

async function main(): Promise<number> {
  const scenarios = chosen(values.only);
  if (scenarios.length === 0) {
    log(`no such scenario: ${values.only}; --list names all ${SCENARIOS.length}`);
    return 1;
  }
  await mkdir(RESULTS, { recursive: true });
  const rows = await runAll(scenarios);
  log(`\n${summaryOf(rows)}`);
  if (values.markdown) log(markdownOf(rows));
  return rows.length === scenarios.length && rows.every(isKept) ? 0 : 1;
}

async function runAll(scenarios: readonly Scenario[]): Promise<Row[]> {
  const rows: Row[] = [];
  const env = await AttackEnv.open(LOG);
  try {
    for (const group of GROUPS) {
      const own = scenarios.filter((scenario) => scenario.group === group);
      if (own.length === 0) continue;
      await runGroup(env, own, (row) => {
        rows.push(row);
        log(`${rows.length} of ${scenarios.length}  ${titleOf(row)}\n${progressOf(row)}`);
      });
    }
  } finally {
    await env.close();
  }
  return rows;
}

/** A service and a baseline of its own, so that no group suffers from another. */
async function runGroup(
  env: AttackEnv,
  scenarios: readonly Scenario[],
  onRow: (row: Row) => void,
): Promise<void> {
  await env.restart();
  let baseline: Measured | null = null;
  if (!values.smoke) {
    log(`\n${scenarios[0]?.group}: the victims alone, for ${seconds} s`);
    baseline = await measureBaseline(env, seconds);
  }
  for (const scenario of scenarios) {
    if (interrupted.signal.aborted) return;
    const outcome = await runScenario(env, scenario, seconds).catch(notMade);
    const row = {
      scenario,
      baseline,
      outcome,
      verdicts: judge(outcome, baseline, scenario.hotRatio),
    };
    onRow(row);
    // Nothing of this one must be left for the next.
    if (!isKept(row)) await env.restart();
  }
}

function titleOf(row: Row): string {
  const { name, does } = row.scenario;
  return `${isKept(row) ? 'kept  ' : 'BROKEN'}  ${name}: ${does}`;
}

function log(line: string): void {
  process.stdout.write(`${line}\n`);
}
