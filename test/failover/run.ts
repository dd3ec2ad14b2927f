import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { explained } from '../../scripts/explained-options.ts';
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
  }),
});
const RESULTS = fileURLToPath(new URL('results', import.meta.url));
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
  const durationMs = Number(values.seconds) * 1000;
  const options = { seed, durationMs, nginx, results: RESULTS, signal: interrupted.signal };
  const { history, violations } = await runTrial(options);
  process.stdout.write(`\nseed           ${seed}\n${reportOf(history, violations)}\n`);
  process.stdout.write(`${tableOf(gapsOf(history))}\n`);
  return violations.length === 0 && !interrupted.signal.aborted ? 0 : 1;
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
