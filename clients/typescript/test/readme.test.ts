import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort, get } from './servers.ts';
import { makeKey, service } from './service.ts';

const PACKAGE = join(import.meta.dirname, '..');
const SERVERS = ['fastify.ts', 'express.ts', 'hono.ts', 'node.ts'];

let folder: string;
let files: Map<string, string>;
before(async () => {
  // Inside the package, where its name and its dependencies are found.
  folder = await mkdtemp(join(PACKAGE, 'readme-'));
  const page = await readFile(join(PACKAGE, 'README.md'), 'utf8');
  const blocks = page.matchAll(/<!-- (\S+\.ts) -->\n```ts\n(.*?)```/gs);
  files = new Map([...blocks].map(([, name = '', code = '']) => [name, code]));
  for (const [name, code] of files) await writeFile(join(folder, name), code);
});
after(async () => {
  await rm(folder, { recursive: true });
});

const environment = (more: Record<string, string> = {}) => ({
  PATH: process.env.PATH,
  ...{ KEYWARD_URL: service.url, KEYWARD_MANAGEMENT_KEY: service.rootKey, ...more },
});

function run(name: string, ...args: string[]): string {
  const options = { encoding: 'utf8', env: environment() } as const;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [join(folder, name), ...args],
    options,
  );
  assert.equal(status, 0, stderr);
  return stdout;
}

test('every example of the page compiles under strict', async () => {
  assert.deepEqual([...files.keys()].toSorted(), [
    ...['express.ts', 'fastify.ts', 'hono.ts', 'keyward.ts', 'manage.ts', 'node.ts', 'verify.ts'],
  ]);
  const config = { extends: '../tsconfig.test.json', include: ['*.ts'] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { stdout, status } = spawnSync(join(PACKAGE, 'node_modules/.bin/tsc'), ['-p', folder]);
  assert.equal(status, 0, String(stdout));
});

for (const name of SERVERS) {
  test(`the example ${name} of the page lets a valid key through, and refuses a request without one`, async () => {
    const { key } = await makeKey(service.root, {
      scopes: ['orders:read'],
      ownerId: 'customer_42',
    });
    const port = await freePort();
    const child = spawn(process.execPath, [join(folder, name)], {
      env: environment({ PORT: String(port) }),
      stdio: 'ignore',
    });
    try {
      const url = `http://127.0.0.1:${port}/orders`;
      const seen = await whenListening(() => get(url, ['authorization', `Bearer ${key}`]));
      assert.deepEqual([seen.status, seen.owner], [200, 'customer_42']);
      assert.equal((await get(url)).status, 401);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
}

test('the example verify.ts of the page prints whose key it is, or the verdict', async () => {
  const { id, key } = await makeKey(service.root, { scopes: ['orders:read'] });
  assert.match(run('verify.ts', key), new RegExp(`^${id} `));
  assert.equal(run('verify.ts', 'x').trim(), 'NOT_FOUND');
});

test('the example manage.ts of the page makes a key, prints it and revokes it', async () => {
  const key = run('manage.ts').trim();
  assert.equal((await service.root.verify({ key })).code, 'REVOKED');
});

async function whenListening<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 200; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0) throw error;
      await pause(50);
    }
  }
}
