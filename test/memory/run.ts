/**
 * Starts Keyward with a heap of 256 MiB and an embedded database, and sends the largest inputs that
 * it takes, many at once: it must stay alive, answer, and take no more memory the second time.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HEAP_MIB = 256;
/** Enough that their credentials do not fit into the cache together. */
const KEYS = Number(process.argv[2] ?? 600);
/** A body of almost 1 MiB. */
const KEYS_OF_IMPORT = 20;
const LISTS = 100;
const BODIES = 40;
const ROOT_KEY = 'root-key-of-the-memory-check-0123456789abcdef';
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const STARTED = /Server listening at (http:[^\s"]+)/;

const filled = (length: number, i: number) => `${i}`.padEnd(length, 'x');
const list = <Item>(length: number, item: (i: number) => Item) =>
  Array.from({ length }, (_, i) => item(i));
const keyOf = (n: number) => `key of another system ${n}`;

/** As large as all bounds of its fields allow together. */
function maximalKey(n: number) {
  const value = createHash('sha256').update(keyOf(n)).digest('hex');
  return {
    name: filled(100, n),
    description: filled(1000, n),
    ownerId: filled(128, n),
    scopes: list(100, (i) => filled(120, i)),
    resources: list(100, (i) => filled(250, i)),
    allowedIps: list(100, (i) => `2001:db8:${(n % 4096).toString(16)}:${i}:1:2:3:0/112`),
    metadata: Object.fromEntries(list(60, (i) => [`${i}`.padStart(20, 'm'), filled(90, i)])),
    hash: { algorithm: 'sha256', value },
  };
}

async function start() {
  const directory = await mkdtemp(join(tmpdir(), 'keyward-memory-'));
  const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MIB}`, MAIN], {
    cwd: '/',
    env: {
      ...{ PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'info', KEYWARD_DATA_DIR: directory },
      ...{ KEYWARD_ROOT_KEY: ROOT_KEY, KEYWARD_LOG_VERIFY_PER_SECOND: '0' },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { promise: url, resolve, reject } = Promise.withResolvers<string>();
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed = `${printed}${chunk}`.slice(-10_000);
    const found = STARTED.exec(printed)?.[1];
    if (found) resolve(found);
  });
  child.on('exit', (code, signal) => {
    reject(new Error(`Keyward ended (${code ?? signal}): ${printed.slice(-2000)}`));
  });
  const end = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(directory, { recursive: true, force: true });
  };
  return { url: await url, pid: child.pid, end };
}

type Statuses = Record<number, number>;

/** Sends calls, some at once, each again while it is refused for load. Counts what they got. */
async function send(
  url: string,
  { path, bodies, atOnce }: { path: string; bodies: readonly (string | null)[]; atOnce: number },
): Promise<Statuses> {
  const statuses: Statuses = {};
  const left = [...bodies];
  const sender = async () => {
    for (let body = left.pop(); body !== undefined; body = left.pop()) {
      const status = await sendOne(`${url}${path}`, body, statuses);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(list(atOnce, sender));
  return statuses;
}

async function sendOne(url: string, body: string | null, statuses: Statuses): Promise<number> {
  for (;;) {
    const status = await statusOf(url, body);
    if (status !== 503) return status;
    statuses[503] = (statuses[503] ?? 0) + 1;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** A body that is refused before it is read ends its connection, at times before the answer is seen. */
async function statusOf(url: string, body: string | null): Promise<number> {
  const init = {
    method: body === null ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${ROOT_KEY}`,
      ...(body !== null && { 'content-type': 'application/json' }),
    },
    body,
  };
  try {
    const answer = await fetch(url, init);
    await answer.arrayBuffer();
    return answer.status;
  } catch (error) {
    if (isCutOff(error)) return 503;
    throw error;
  }
}

function isCutOff(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : null;
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'UND_ERR_SOCKET';
}

async function residentMib(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

const numbers = list(KEYS, (n) => n);
const chunks = (size: number) =>
  list(Math.ceil(KEYS / size), (i) => numbers.slice(i * size, (i + 1) * size));

function round(url: string, name: string): (() => Promise<[string, Statuses]>)[] {
  const imports = chunks(KEYS_OF_IMPORT).map((some) =>
    JSON.stringify({ keys: some.map(maximalKey) }),
  );
  const batches = chunks(100).map((some) =>
    JSON.stringify({ requests: some.map((n) => ({ key: keyOf(n) })) }),
  );
  const zeros = `{"keys":[${'0,'.repeat(520_000)}0]}`;
  const objects = `{"keys":[${'{},'.repeat(345_000)}{}]}`;
  const step = (what: string, call: Parameters<typeof send>[1]) => async () => {
    const statuses = await send(url, call);
    return [`${name}: ${what}`, statuses] satisfies [string, Statuses];
  };
  return [
    step('maximal imports', { path: '/v1/keys/import', bodies: imports, atOnce: 10 }),
    step('verified in batches', { path: '/v1/verify/batch', bodies: batches, atOnce: 10 }),
    step('maximal pages', {
      path: '/v1/keys?limit=200',
      bodies: list(LISTS, () => null),
      atOnce: LISTS,
    }),
    step('bodies of zeros', {
      path: '/v1/keys/import',
      bodies: list(BODIES, () => zeros),
      atOnce: BODIES,
    }),
    step('bodies of objects', {
      path: '/v1/keys/import',
      bodies: list(BODIES, () => objects),
      atOnce: BODIES,
    }),
  ];
}

const program = await start();
try {
  const resident: number[] = [await residentMib(program.pid)];
  for (const name of ['first round', 'second round']) {
    for (const step of round(program.url, name)) {
      const began = performance.now();
      const [what, statuses] = await step();
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const mib = await residentMib(program.pid);
      process.stdout.write(`${what} ${JSON.stringify(statuses)} ${seconds} s, ${mib} MiB\n`);
      const isFine = Object.keys(statuses).every((status) =>
        ['200', '400', '413', '503'].includes(status),
      );
      if (!isFine) throw new Error(`${what}: an answer that must not be`);
    }
    resident.push(await residentMib(program.pid));
  }
  const { status } = await fetch(`${program.url}/readyz`);
  if (status !== 200) throw new Error(`not ready afterwards: ${status}`);
  const [, first = 0, second = 0] = resident;
  process.stdout.write(`memory: ${resident.join(', ')} MiB\n`);
  if (second > 1.5 * first) throw new Error('the second round took more memory than the first');
} finally {
  await program.end();
}
