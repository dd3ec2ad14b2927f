import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { clientOf, createKey, usageOf, verdictOf } from '../test/support/client.ts';
import { freePort } from '../test/support/free-port.ts';
import { startDatabase } from './container/database.ts';
import { Engine } from './container/engine.ts';

/**
 * Runs an image as docs/containers.md says, and checks what it says there. Called by
 * scripts/container-check.sh with the image and the engine.
 */
const [image = '', ...program] = process.argv.slice(2);
const engine = new Engine(image, program);
const name = `keyward-check-${process.pid}`;
const folder = await mkdtemp(join(tmpdir(), 'keyward-container-'));
const ANY_USER = '12345:12345';
const KNOWN_KEY = 'test-key-orders-read-0123456789abcdef';
const KNOWN_KEYS = fileURLToPath(
  new URL('../deploy/compose/for-tests/keys.jsonl', import.meta.url),
);
const rootKey = randomBytes(32).toString('hex');
const secret = randomBytes(32).toString('hex');
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const client = clientOf(url, rootKey);

/** In the image: every dependency is found, and those that only some starts load are loaded. */
const LOAD_PACKAGES = `
  import { readFileSync } from 'node:fs';
  const { dependencies } = JSON.parse(readFileSync('/app/package.json', 'utf8'));
  for (const name of Object.keys(dependencies)) import.meta.resolve(name);
  for (const name of ['drizzle-orm/node-postgres', 'drizzle-orm/node-postgres/migrator', 'pino-pretty', 'csv-parse']) await import(name);
  process.exit(0);
`;

const database = await startDatabase(folder);
try {
  await prepare();
  await runAsAnyUser();
} finally {
  for (const each of [name, `${name}-command`]) engine.remove(each);
  await database.stop();
  await rm(folder, { recursive: true, force: true });
}

/** As the migration Job of the chart does: as the owner, without KEYWARD_SECRET. */
async function prepare(): Promise<void> {
  await step('`keyward migrate` and `keyward grants` run as the owner', () => {
    const options = { name: `${name}-command`, env: { DATABASE_URL: database.ownerUrl } };
    engine.runOnce(options, 'keyward', 'migrate');
    engine.runOnce(options, 'keyward', 'grants', 'keyward_runtime', '--apply');
  });
}

async function runAsAnyUser(): Promise<void> {
  const mounts = await secretFiles();
  const env = {
    PORT: `${port}`,
    HOST: '127.0.0.1',
    // Loads what only traces need; nothing listens there.
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    ...Object.fromEntries(
      Object.keys(mounts).map((path) => [`${path.split('/').at(-1)}_FILE`, path]),
    ),
  };
  await step('it starts as user 12345, read-only, without capabilities', async () => {
    engine.start({ name, user: ANY_USER, env, mounts });
    await untilReady();
  });
  await checkRestrictions();
  await checkAnswers();
  const key = await step('a key is created and verified', async () => {
    const created = await createKey(client, 'in a container');
    expectEqual(await verdictOf(client, created.key), 'VALID');
    return created;
  });
  await importKnownKey(mounts);
  const answered = await stopUnderLoad(key.key);
  await step('the log contains neither the key nor a secret', () => {
    const logs = engine.logsOf(name);
    for (const text of [key.key, rootKey, secret]) expectEqual(logs.includes(text), false);
  });
  engine.remove(name);
  await step("after a new start, as the image's own user, every answer is counted", async () => {
    engine.start({ name, env, mounts });
    await untilReady();
    // What was written at the stop is added up within seconds.
    await until(async () => (await usageOf(client, key.id)).total >= answered + 1);
    expectEqual((await usageOf(client, key.id)).total, answered + 1);
  });
  await checkHealth();
  const { code } = await engine.stop(name);
  expectEqual(code, 0);
}

async function secretFiles(): Promise<Record<string, string>> {
  const contents = {
    DATABASE_URL: database.runtimeUrl,
    KEYWARD_ROOT_KEY: rootKey,
    KEYWARD_SECRET: secret,
  };
  const mounts: Record<string, string> = {};
  for (const [file, content] of Object.entries(contents)) {
    const path = join(folder, file);
    await writeFile(path, content);
    mounts[`/run/secrets/keyward/${file}`] = path;
  }
  return mounts;
}

async function checkRestrictions(): Promise<void> {
  await step('its process has no capabilities, no new privileges, and that user', () => {
    const status = engine.call('exec', name, 'cat', '/proc/1/status');
    for (const line of ['CapEff:\t0000000000000000', 'NoNewPrivs:\t1', 'Uid:\t12345']) {
      expectEqual(status.includes(line), true);
    }
  });
  await step('nothing can be written', () => {
    for (const file of ['/app/x', '/tmp/x', '/run/x']) {
      expectEqual(engine.codeOf('exec', name, 'sh', '-c', `: > ${file}`) !== 0, true);
    }
  });
  await step('every package that it depends on can be loaded', () => {
    engine.call('exec', name, 'node', '--input-type=module', '--eval', LOAD_PACKAGES);
  });
}

async function checkAnswers(): Promise<void> {
  await step('probes, pages and documents are answered', async () => {
    const pages = ['/docs', '/console'].map(async (path) => (await fetch(url + path)).text());
    const files = (await Promise.all(pages)).flatMap((html) => [
      ...html.matchAll(/(?:src|href)="(\/[^"]+)"/g),
    ]);
    const paths = ['/livez', '/readyz', '/openapi.json', ...files.map(([, path = '']) => path)];
    expectEqual(paths.length > 6, true);
    for (const path of paths) {
      const { status } = await fetch(url + path);
      if (status !== 200) throw new Error(`${path} is answered with ${status}`);
    }
  });
}

/** `keyward import` of deploy/compose/for-tests, twice, as its service does at each start. */
async function importKnownKey(mounts: Record<string, string>): Promise<void> {
  await step('`keyward import` makes the known key of deploy/compose/for-tests, once', async () => {
    const options = {
      name: `${name}-command`,
      env: {
        DATABASE_URL: database.runtimeUrl,
        KEYWARD_SECRET_FILE: '/run/secrets/keyward/KEYWARD_SECRET',
      },
      mounts: { ...mounts, '/keys.jsonl': KNOWN_KEYS },
    };
    for (const _ of [1, 2]) engine.runOnce(options, 'keyward', 'import', '/keys.jsonl');
    expectEqual(await verdictOf(client, KNOWN_KEY), 'VALID');
  });
}

/** Verifies with several clients until the instance has gone. Returns how many were answered. */
async function stopUnderLoad(key: string): Promise<number> {
  let answered = 0;
  const callers = Array.from({ length: 8 }, async () => {
    while (await isAnswered(key)) answered += 1;
  });
  await delay(1000);
  const { code, ms } = await engine.stop(name);
  await Promise.all(callers);
  await step(`SIGTERM under load ends it with 0: ${answered} answers, drained in ${ms} ms`, () => {
    expectEqual(code, 0);
    expectEqual(answered > 0, true);
  });
  return answered;
}

async function isAnswered(key: string): Promise<boolean> {
  try {
    return (await verdictOf(client, key)) === 'VALID';
  } catch {
    return false;
  }
}

async function checkHealth(): Promise<void> {
  await step('its HEALTHCHECK passes', async () => {
    if (engine.isPodman) engine.call('healthcheck', 'run', name);
    else
      await until(
        () => engine.call('inspect', '-f', '{{.State.Health.Status}}', name) === 'healthy',
      );
  });
}

async function untilReady(): Promise<void> {
  await until(async () => {
    if (engine.call('inspect', '--format', '{{.State.Running}}', name) !== 'true') {
      throw new Error(`it has ended: ${engine.logsOf(name)}`);
    }
    return fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error('it took longer than a minute');
    await delay(100);
  }
}

async function step<T>(title: string, run: () => T | Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await run();
  process.stdout.write(`✓ ${title} (${Math.round(performance.now() - started)} ms)\n`);
  return result;
}

function expectEqual(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${actual} is not ${expected}`);
}
