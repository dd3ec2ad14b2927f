import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { createTestDatabase } from '../support/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { runProgram, startProgram } from '../support/program.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const fileOf = (name: string) => readFile(join(ROOT, name), 'utf8');
const PAGE = 'docs/testing-with-keyward.md';

interface Compose {
  services: Record<'keyward' | 'keys', { command: string; environment: Record<string, string> }>;
}

/** The keys of the page's table. */
async function documentedKeys(): Promise<string[]> {
  return [...(await fileOf(PAGE)).matchAll(/^\| `(test-key-[\w-]+)` \|/gm)].map(
    ([, key = '']) => key,
  );
}

it('the page about tests names the keys whose digests are imported, and the root key of the compose file', async () => {
  const imported = (await fileOf('deploy/compose/for-tests/keys.jsonl')).trim().split('\n');
  const digests = (await documentedKeys()).map((key) =>
    createHash('sha256').update(key).digest('hex'),
  );
  expect(imported.map((line) => JSON.parse(line).hash.value)).toEqual(digests);
  const { keyward }: Compose['services'] = parse(await fileOf('deploy/compose/for-tests.yml'), {
    merge: true,
  }).services;
  expect(await fileOf(PAGE)).toContain(keyward.environment.KEYWARD_ROOT_KEY);
});

it('the example of the page about tests passes on what deploy/compose/for-tests.yml starts', async () => {
  const { services }: Compose = parse(await fileOf('deploy/compose/for-tests.yml'), {
    merge: true,
  });
  const database = await createTestDatabase();
  const here = (service: 'keyward' | 'keys') => ({
    ...services[service].environment,
    DATABASE_URL: database.url,
  });
  const { url } = await startProgram(here('keyward'));
  const args = services.keys.command.replace(
    '/keys.jsonl',
    join(ROOT, 'deploy/compose/for-tests/keys.jsonl'),
  );
  for (const _ of ['first', 'again']) {
    const { code } = await runProgram(here('keys'), { args: args.split(' ').slice(1) });
    expect(code).toBe(0);
  }

  const [, example = ''] = /```js\n(.*?)```/s.exec(await fileOf(PAGE)) ?? [];
  const file = join(await temporaryFolder('keyward-example-'), 'orders.test.mjs');
  await writeFile(file, example);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--test', '--test-reporter=tap', file],
    {
      env: { ...env, KEYWARD_URL: url },
    },
  );
  expect(stdout).toMatch(/^# pass 3\n# fail 0$/m);
});
