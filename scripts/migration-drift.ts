import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/** Fails if the schema has changes without a migration, or if migrations contradict each other. */
const copy = await mkdtemp(join(tmpdir(), 'keyward-migrations-'));
try {
  await cp('migrations', copy, { recursive: true });
  // drizzle-kit takes no absolute paths.
  const out = relative(process.cwd(), copy);
  const options = ['--dialect', 'postgresql', '--out', out];
  const isConsistent = run('check', ...options);
  const generated = run('generate', ...options, '--schema', 'src/db/schema.ts');
  const before = await readdir('migrations');
  const added = (await readdir(copy)).filter((name) => !before.includes(name));
  if (added.length > 0) process.stderr.write('The schema has changed: npm run migration\n');
  if (!isConsistent || !generated || added.length > 0) process.exitCode = 1;
} finally {
  await rm(copy, { recursive: true });
}

function run(...args: string[]): boolean {
  const { status, stdout, stderr } = spawnSync('drizzle-kit', args, { encoding: 'utf8' });
  if (status !== 0) process.stderr.write(`${stdout}${stderr}`);
  return status === 0;
}
