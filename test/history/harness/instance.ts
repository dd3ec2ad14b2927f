import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../support/free-port.ts';
import type { Ending } from '../history.ts';
import { type Answer, callOverHttp } from './http-call.ts';
import type { Recorder } from './recorder.ts';

export const ROOT_KEY = 'root-key-of-the-history-checker-0000';
export const SECRET = 'secret-of-the-history-checker-0000000';
const FLUSH_MS = 250;
const CALL_TIMEOUT_MS = 6000;

interface InstanceOptions {
  number: number;
  databaseUrl: string;
  main: string;
  log: string;
  recorder: Recorder;
}

/** A Keyward process, at the same port after each start. */
export class Instance {
  readonly number: number;
  readonly #options: InstanceOptions;
  readonly port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #child: ChildProcess | null = null;
  #isShutDown = false;
  /** The reason to record if the current process ends now. */
  #how: Ending['how'] = 'at-start';
  /** When the current process was started. */
  born = 0;

  private constructor(options: InstanceOptions, port: number) {
    this.number = options.number;
    this.#options = options;
    this.port = port;
  }

  static async make(options: InstanceOptions): Promise<Instance> {
    return new Instance(options, await freePort());
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** Kills it so that no fault that is still in progress can start it again. */
  async shutDown(): Promise<void> {
    this.#isShutDown = true;
    await this.end('SIGKILL');
  }

  start(): void {
    if (this.#isShutDown) return;
    const { databaseUrl, main, log, recorder } = this.#options;
    this.#how = 'at-start';
    const file = openSync(log, 'a');
    this.born = performance.now();
    const child = spawn(process.execPath, [main], {
      cwd: '/',
      env: { ...settings(this.port, databaseUrl), PATH: process.env.PATH },
      stdio: ['ignore', file, file],
      // Ctrl-C must reach the checker only, which stops its processes in order.
      detached: true,
    });
    this.#child = child;
    child.once('exit', (exitCode) => {
      this.#child = null;
      const { number: instance, born } = this;
      const at = performance.now();
      recorder.add({ type: 'ending', instance, how: this.#how, exitCode, born, at });
    });
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!this.#child) return;
    const exit = once(this.#child, 'exit');
    this.#how = signal === 'SIGKILL' ? 'killed' : 'asked';
    this.#child.kill(signal);
    await exit;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async waitUntilReady(deadlineMs = 60_000): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const answer = await this.call('GET', '/readyz', {}, undefined, 2000).catch(() => null);
      if (answer?.status === 200) {
        this.#how = 'by-itself';
        return;
      }
      // As a supervisor would.
      if (!this.isRunning) this.start();
      if (performance.now() > deadline || this.#isShutDown) {
        throw new Error(`instance ${this.number} did not start; see ${this.#options.log}`);
      }
      await delay(50);
    }
  }

  call(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: object,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<Answer> {
    const target = { port: this.port, agent: this.#agent, timeoutMs };
    return callOverHttp(target, method, path, headers, body);
  }
}

/** Argon2 is at its lowest cost, since it is not what is tested. */
function settings(port: number, databaseUrl: string): Record<string, string> {
  return {
    PORT: String(port),
    LOG_LEVEL: 'warn',
    DATABASE_URL: databaseUrl,
    KEYWARD_ROOT_KEY: ROOT_KEY,
    KEYWARD_SECRET: SECRET,
    KEYWARD_USAGE_FLUSH_MS: String(FLUSH_MS),
    KEYWARD_POOL_SIZE: '6',
    KEYWARD_WEBHOOK_NETWORKS: '127.0.0.0/8',
    KEYWARD_ARGON2_MEMORY_KIB: '8192',
    KEYWARD_ARGON2_ITERATIONS: '1',
  };
}
