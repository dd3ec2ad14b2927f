import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const PACKAGE = join(import.meta.dirname, '..');
const manifest = JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8'));

/** What npm prints in JSON, without lines of scripts. */
function npm(...args: string[]) {
  const { stdout, stderr } = spawnSync('npm', [...args, '--json', '--ignore-scripts'], {
    ...{ cwd: PACKAGE, encoding: 'utf8' },
  });
  assert.ok(stdout.includes('['), stderr);
  return JSON.parse(stdout);
}

/** npm 12 names the package before its files, older ones do not. */
function filesOf(packed: unknown): string[] {
  const paths = [...JSON.stringify(packed).matchAll(/"path":"([^"]+)"/g)];
  return paths.map(([, path = '']) => path).toSorted();
}

test('the package has its compiled modules with their types, its page and its licence, and nothing else', async () => {
  const modules = (await readdir(join(PACKAGE, 'src'))).map((name) => name.replace(/\.ts$/, ''));
  const expected = modules.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`]);
  assert.deepEqual(
    filesOf(npm('pack', '--dry-run')),
    ['LICENSE', 'README.md', 'package.json', ...expected].toSorted(),
  );
});

test('every entry of the package has code and types, and each framework that one needs is an optional peer', async () => {
  for (const file of Object.values<string>(manifest.exports)) {
    await readFile(join(PACKAGE, file));
    if (file.endsWith('.js')) await readFile(join(PACKAGE, file.replace(/\.js$/, '.d.ts')));
  }
  assert.deepEqual(Object.keys(manifest.dependencies), ['openapi-fetch']);
  for (const name of Object.keys(manifest.peerDependencies)) {
    assert.equal(manifest.peerDependenciesMeta[name].optional, true);
  }
  const imported = new Set<string>();
  for (const name of await readdir(join(PACKAGE, 'dist'))) {
    const text = await readFile(join(PACKAGE, 'dist', name), 'utf8');
    for (const [, from = ''] of text.matchAll(/^(?:import|export) .*?from '([^.'][^']*)'/gm)) {
      imported.add(from);
    }
  }
  assert.deepEqual([...imported].toSorted(), [
    ...['express', 'fastify', 'hono', 'node:http', 'openapi-fetch'],
  ]);
});

test('the package that is packed can be imported where nothing but its one dependency is installed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-client-'));
  try {
    npm('pack', '--pack-destination', folder);
    const [tarball = ''] = await readdir(folder);
    const shell = (command: string) =>
      spawnSync(command, { shell: true, cwd: folder, encoding: 'utf8' });
    const modules = join(PACKAGE, 'node_modules');
    shell(
      `mkdir -p node_modules/@keyward/client && tar xzf ${tarball} --strip-components=1 -C node_modules/@keyward/client`,
    );
    shell(`cp -r ${modules}/openapi-fetch ${modules}/openapi-typescript-helpers node_modules/`);
    const entries = Object.keys(manifest.exports)
      .filter((entry) => entry !== './package.json')
      .map((entry) => `import('@keyward/client${entry.slice(1)}')`);
    const program = `Promise.all([${entries}]).then((all) => console.log(all.map((one) => Object.keys(one)).join(' ')))`;
    const { stdout, stderr } = shell(`node --eval "${program}"`);
    const guards = Array(4).fill('requireKey').join(' ');
    assert.equal(stdout.trim(), `Keyward,KeywardError,dataOf ${guards}`, stderr);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the version of the package is that of its lockfile, and the licence is that of Keyward', async () => {
  const lock = JSON.parse(await readFile(join(PACKAGE, 'package-lock.json'), 'utf8'));
  assert.equal(lock.version, manifest.version);
  const [own, whole] = await Promise.all(
    ['LICENSE', '../../LICENSE'].map((path) => readFile(join(PACKAGE, path), 'utf8')),
  );
  assert.equal(own, whole);
});
