import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { CallProxy, cutAfter } from './proxy.ts';
import { freePort } from './servers.ts';
import { creditsOf, makeKey, service } from './service.ts';

const PACKAGE = join(import.meta.dirname, '..');
const FILE = join(PACKAGE, `readme-runtimes-${process.pid}.mjs`);

interface Runtime {
  program: string;
  args: string[];
  /** Of a connection that is refused; Deno does not say why one failed, so it is not tried again. */
  closed: string;
}

/** Each where it is installed. */
const RUNTIMES: Record<string, Runtime> = {
  'Node 20': {
    program: process.env.KEYWARD_TEST_OLD_NODE ?? '/usr/bin/node',
    args: [],
    closed: 'UNREACHABLE',
  },
  Bun: { program: process.env.KEYWARD_TEST_BUN ?? '', args: ['run'], closed: 'UNREACHABLE' },
  Deno: {
    program: process.env.KEYWARD_TEST_DENO ?? '',
    args: ['run', '--no-config', '--node-modules-dir=manual', '--allow-net', '--allow-env'],
    closed: 'NO_ANSWER',
  },
};

/** Alone, together, without an answer, without a connection, and a management call. */
const PROGRAM = `
  import { dataOf, Keyward } from '@keyward/client';
  const { URL, CLOSED, MANAGEMENT_KEY: managementKey, KEY: key } = globalThis.process.env;
  const keyward = new Keyward({ url: URL, managementKey });
  const code = (asked) => asked.then(({ code }) => code, ({ code }) => code);
  const lost = await code(keyward.verify({ key }));
  const alone = await code(keyward.verify({ key }));
  const together = await Promise.all([key, 'x', key].map((one) => code(keyward.verify({ key: one }))));
  const closed = await code(new Keyward({ url: CLOSED, managementKey }).verify({ key }));
  const { data } = await dataOf(keyward.api.GET('/v1/keys'));
  console.log([lost, alone, ...together, closed, data.length > 0].join());
`;

before(async () => {
  await writeFile(FILE, PROGRAM);
});
after(async () => {
  await rm(FILE);
});

for (const [name, { program, args, closed }] of Object.entries(RUNTIMES)) {
  const found = existsSync(program) && (name !== 'Node 20' || isNode20(program));
  test(`the built package verifies and manages keys on ${name}, and spends nothing twice`, {
    skip: !found,
  }, async () => {
    const proxy = await CallProxy.open(service.url);
    proxy.next(cutAfter);
    const { id, key } = await makeKey(service.root, { credits: { remaining: 10 } });
    const child = spawn(program, [...args, FILE], {
      cwd: PACKAGE,
      env: {
        ...{ PATH: process.env.PATH, HOME: process.env.HOME, URL: proxy.url, KEY: key },
        ...{ CLOSED: `http://127.0.0.1:${await freePort()}`, MANAGEMENT_KEY: service.rootKey },
      },
    });
    const [stdout, stderr] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ]);
    await proxy.close();
    const together = 'VALID,NOT_FOUND,VALID';
    assert.equal(stdout.trim(), `NO_ANSWER,VALID,${together},${closed},true`, stderr);
    assert.equal(await creditsOf(service.root, id), 6);
  });
}

function isNode20(program: string): boolean {
  return spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.startsWith('v20.');
}
