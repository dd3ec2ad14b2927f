import { randomInt } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explained } from '../../scripts/explained-options.ts';
import { startTestPostgres } from '../support/postgres-server.ts';
import { AREAS, type Area } from './areas.ts';
import { mutantsOf } from './mutants.ts';
import { type Edit, Recorder, type Result } from './record.ts';
import { sampleOf } from './sample.ts';
import { sqlMutantsOf } from './sql-mutants.ts';
import { summaryOf } from './summary.ts';
import { copyTree } from './tree.ts';
import { Trial } from './trial.ts';

/**
 * Mutation testing. Without options: ten mutants of each area, by a new seed.
 * `--area NAME` and `--file PART` narrow it, `--sample N` and `--seed N` choose, `--all` tries all.
 */
const { values } = parseArgs({
  options: explained({
    area: { type: 'string', multiple: true },
    file: { type: 'string', default: '' },
    sample: { type: 'string', default: '10' },
    seed: { type: 'string' },
    all: { type: 'boolean', default: false },
  }),
});
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const size = values.all ? null : Number(values.sample);
const { signal } = interruption();

// What killed tests leave behind goes with it.
const folder = await mkdtemp(join(tmpdir(), 'keyward-mutation-'));
const server = await startTestPostgres();
try {
  const tree = await copyTree(join(folder, 'tree'));
  await mkdir(join(folder, 'tests'));
  const results: Result[] = [];
  for (const name of values.area ?? Object.keys(AREAS)) {
    if (!signal.aborted) results.push(await mutate(name, tree));
  }
  say(`\nseed ${seed}\n\n${summaryOf(results)}`);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}

async function mutate(name: string, tree: string): Promise<Result> {
  const area = AREAS[name];
  if (!area) throw new Error(`no such area: ${name}; known: ${Object.keys(AREAS).join(', ')}`);
  const mutants = await everyMutantOf(area);
  const chosen = sampleOf(mutants, size, seed);
  const tests = globSync(area.tests);
  say(`\n${name}: ${chosen.length} of ${mutants.length} mutants, ${tests.length} test files`);
  const trial = new Trial({
    tree,
    tests,
    serverUrl: server.url,
    folder: join(folder, 'tests'),
    signal,
  });
  await trial.prepare();
  const recorder = new Recorder(name, seed, mutants.length);
  for (const edit of chosen) {
    if (signal.aborted) break;
    const outcome = await trial.outcomeOf(edit);
    if (!signal.aborted) recorder.add(edit, outcome);
  }
  if (!signal.aborted) await trial.confirm();
  trial.end();
  return recorder.result;
}

async function everyMutantOf({ sources, sql }: Area): Promise<Edit[]> {
  const files = globSync(sources).filter((file) => file.includes(values.file));
  const found = files.sort().map((file) => (sql ? sqlMutantsOf(file) : mutantsOf(file)));
  return (await Promise.all(found)).flat();
}

/** An early end still prints the summary of the results so far. */
function interruption(): AbortController {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => interrupted.abort());
  }
  return interrupted;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
