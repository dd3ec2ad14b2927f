import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const VITALS = new URL('../../support/preload/vitals.ts', import.meta.url).href;
const LISTENS = /Server listening at (http:[^\s"]+)/;
const HEAP_MIB = 256;
const VITALS_WITHIN_MS = 5000;
const STOP_WITHIN_MS = 25_000;

export const ROOT_KEY = 'root-key-of-the-attack-suite-0000000';
export const SECRET = 'secret-of-the-attack-suite-000000000000';

interface Memory {
  rssMiB: number;
  heapMiB: number;
}

export interface Vitals {
  now: Memory;
  /** Since the last reset. */
  peak: Memory;
  loop: { p99Ms: number; maxMs: number };
}

/** The real program as a process of its own, with little memory. */
export class Service {
  readonly url: string;
  readonly #child: ChildProcess;
  #questions = 0;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** Argon2 is at its lowest cost, as in the tests, and reports of leaks are taken; every other setting has its default. */
  static async start(databaseUrl: string, log: string): Promise<Service> {
    const options = [`--max-old-space-size=${HEAP_MIB}`, '--expose-gc', `--import=${VITALS}`];
    const child = spawn(process.execPath, [...options, MAIN], {
      cwd: '/',
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: join(tmpdir(), 'keyward-test-compile-cache'),
        PORT: '0',
        DATABASE_URL: databaseUrl,
        KEYWARD_ROOT_KEY: ROOT_KEY,
        KEYWARD_SECRET: SECRET,
        KEYWARD_LEAK_REPORTS: 'on',
        KEYWARD_ARGON2_MEMORY_KIB: '8192',
        KEYWARD_ARGON2_ITERATIONS: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Ctrl-C must reach the suite only, which stops its processes in order.
      detached: true,
    });
    return new Service(child, await urlOf(child, log));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** How the process ended; null while it runs. */
  get ended(): string | null {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null) return `exit code ${exitCode}`;
    return signalCode;
  }

  /** Null if the process is gone, or too busy to answer. */
  async vitals(options: { reset?: boolean; collect?: boolean } = {}): Promise<Vitals | null> {
    if (this.ended !== null || !this.#child.connected) return null;
    const id = this.#questions++;
    const { promise, resolve } = Promise.withResolvers<Vitals | null>();
    const listen = (answer: Vitals & { id: number }) => {
      if (answer.id === id) resolve(answer);
    };
    this.#child.on('message', listen);
    this.#child.send({ id, reset: false, collect: false, ...options }, () => {});
    const vitals = await Promise.race([promise, delay(VITALS_WITHIN_MS, null, { ref: false })]);
    this.#child.off('message', listen);
    return vitals;
  }

  async stop(): Promise<void> {
    if (this.ended !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exit;
    clearTimeout(kill);
  }
}

/** The log goes into a pipe that is read, as in a container, and from there into a file. */
async function urlOf(child: ChildProcess, log: string): Promise<string> {
  const file = createWriteStream(log, { flags: 'a' });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  const observe = (chunk: Buffer) => {
    text += chunk.toString();
    const url = LISTENS.exec(text)?.[1];
    if (url) resolve(url);
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', observe);
    stream?.pipe(file, { end: false });
  }
  child.once('exit', () => reject(new Error(`the service ended at its start; see ${log}`)));
  child.once('close', () => file.end());
  const url = await promise;
  for (const stream of [child.stdout, child.stderr]) stream?.off('data', observe);
  return url;
}
