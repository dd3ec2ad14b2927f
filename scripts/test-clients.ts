import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startFuzzTarget } from '../test/fuzz/program.ts';

/**
 * Generates a client from openapi/openapi.json with each of five generators, compiles it under
 * `strict`, and lets it do the main job against a started Keyward. Needs the npm registry once.
 */
const FOLDER = fileURLToPath(new URL('../test/clients/', import.meta.url));
const DOCUMENT = '../../openapi/openapi.json';
const GENERATORS: Record<string, string> = {
  'openapi-typescript': `openapi-typescript ${DOCUMENT} --output generated/openapi-typescript.ts`,
  'hey-api': `openapi-ts --input ${DOCUMENT} --output generated/hey-api`,
  orval: 'orval --config orval.config.json',
  'swagger-typescript-api': `swagger-typescript-api generate --path ${DOCUMENT} --output generated --name swagger-typescript-api.ts --enum-style union --extract-request-params`,
  oazapfts: `oazapfts ${DOCUMENT} generated/oazapfts.ts`,
};

const failures: string[] = [];

if (!existsSync(`${FOLDER}node_modules`)) requireSuccess('npm ci --ignore-scripts');
for (const folder of ['generated', 'out'])
  await rm(FOLDER + folder, { recursive: true, force: true });
const generated = Object.keys(GENERATORS).filter((name) =>
  passes(name, 'generates', GENERATORS[name] ?? ''),
);
const compiled = compile(generated);
await doMainJobs(compiled);
process.exitCode = failures.length === 0 ? 0 : 1;

/** Compiles all at once; what the compiler says belongs to the generator that a file is named after. */
function compile(names: readonly string[]): string[] {
  const { ok, output } = run('tsc --project .');
  const compiled = names.filter((name) => {
    const own = [`generated/${name}`, `jobs/${name}`];
    const errors = output.split('\n').filter((line) => own.some((file) => line.startsWith(file)));
    return report(name, 'compiles under strict', errors.join('\n'));
  });
  if (!ok && failures.length === 0) report('test/clients', 'compiles under strict', output);
  return compiled;
}

async function doMainJobs(names: readonly string[]): Promise<void> {
  const { url, rootKey, stop } = await startFuzzTarget();
  try {
    for (const name of names) {
      passes(name, 'does the main job', `node out/jobs/run.js ${name} ${url}`, {
        MANAGEMENT_KEY: rootKey,
      });
    }
  } finally {
    await stop();
  }
}

function passes(name: string, step: string, command: string, env: object = {}): boolean {
  const { ok, output } = run(command, env);
  return report(name, step, ok ? '' : output || 'failed');
}

function report(name: string, step: string, problem: string): boolean {
  process.stdout.write(`${problem ? '✗' : '✓'} ${name} ${step}\n${problem && `${problem}\n`}`);
  if (problem) failures.push(`${name} ${step}`);
  return problem === '';
}

function requireSuccess(command: string): void {
  const { ok, output } = run(command);
  if (!ok) throw new Error(`${command} failed in ${FOLDER}:\n${output}`);
}

function run(command: string, env: object = {}) {
  const { status, stdout, stderr } = spawnSync(command, {
    cwd: FOLDER,
    shell: true,
    encoding: 'utf8',
    env: { ...process.env, ...env, PATH: `${FOLDER}node_modules/.bin:${process.env.PATH}` },
  });
  return { ok: status === 0, output: `${stdout}${stderr}`.trim() };
}
