import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fillIn } from '../../bench/harness/report.ts';
import { explained } from '../../scripts/explained-options.ts';
import { type Entry, isAnswered, type Verification } from '../history/history.ts';
import { reportOf } from '../history/report.ts';
import { type Gap, gapsOf } from './gaps.ts';
import { runTrial } from './trial.ts';

/**
 * Three instances behind nginx, on a primary with a synchronous standby, under load: an instance is
 * killed, one restarted, and the standby promoted. The history checker judges the record of all calls.
 */
const { values } = parseArgs({
  options: explained({
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    /** The standby is asynchronous, and behind: succeeds when the checker finds what is lost. */
    asynchronous: { type: 'boolean', default: false },
    /** Writes the table into docs/scaling.md. */
    document: { type: 'boolean', default: false },
  }),
});
const RESULTS = fileURLToPath(new URL('results', import.meta.url));
const DOCUMENT = fileURLToPath(new URL('../../docs/scaling.md', import.meta.url));
/** Of the machine without the trial. */
const [LOAD = 0] = loadavg();
const nginx = process.env.KEYWARD_TEST_NGINX || 'nginx';
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(name, () => interrupted.abort());
}

process.env.PATH += ':/usr/sbin';
if (spawnSync(nginx, ['-v']).status === 0) process.exitCode = await main();
else
  process.stderr.write('nginx is not installed: SKIPPED (Debian: apt-get install nginx-light).\n');

async function main(): Promise<number> {
  const isSynchronous = !values.asynchronous;
  const durationMs = Number(values.seconds) * 1000;
  const { signal } = interrupted;
  const options = { seed, durationMs, nginx, isSynchronous, results: RESULTS, signal };
  const { history, violations } = await runTrial(options);
  const report = reportOf(history, violations);
  const table = tableOf(gapsOf(history));
  process.stdout.write(`\nseed           ${seed}\n${report}\n${table}\n`);
  const isKept = violations.length === 0;
  if (values.document && isKept) await writeDocument(table, history);
  return isKept === isSynchronous && !signal.aborted ? 0 : 1;
}

async function writeDocument(table: string, history: readonly Entry[]): Promise<void> {
  const verifications = history.filter((e): e is Verification => e.type === 'verify');
  const answered = verifications.filter(isAnswered).length;
  const changes = history.filter(({ type }) => type === 'change').length;
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, load ${LOAD.toFixed(1)} before`;
  const note = `${verifications.length} verifications, ${answered} of them answered, and ${changes} changes; seed ${seed}; no violation. ${machine}`;
  const document = await readFile(DOCUMENT, 'utf8');
  await writeFile(DOCUMENT, fillIn(document, 'failover', `${table}\n\n${note}`));
}

function tableOf(gaps: readonly Gap[]): string {
  const rows = gaps.map(({ kind, seconds, calls, errors, errorsForMs, silentMs }) => [
    kind,
    `${seconds.toFixed(1)} s`,
    calls,
    [...errors].map(([status, count]) => `${count} × ${status || 'none'}`).join(', ') || 'none',
    errors.size === 0 ? '–' : `${(errorsForMs / 1000).toFixed(2)} s`,
    `${(silentMs / 1000).toFixed(2)} s`,
  ]);
  const heads = [
    ...['what happened', 'for', 'calls meanwhile', 'errors', 'until'],
    'longest without an answered verification',
  ];
  const rule = heads.map(() => '---');
  return [heads, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
