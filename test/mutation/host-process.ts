import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

const HOST = join(import.meta.dirname, 'host.ts');

interface HostOptions {
  tree: string;
  tests: readonly string[];
  serverUrl: string;
}

/** The parent's side of a host. One that has ended is started again when it is needed. */
export class HostProcess {
  readonly #options: HostOptions;
  #child: ChildProcess | null = null;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** Whether the tests pass, now that a file has changed. Without an answer in time it is ended. */
  runTests(changed: string, timeoutMs: number): Promise<'passed' | 'failed' | 'timed out'> {
    const child = this.#child ?? this.#start();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.end(), timeoutMs);
      const settle = (outcome: 'passed' | 'failed' | 'timed out') => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(outcome);
      };
      child.once('message', (passed) => settle(passed ? 'passed' : 'failed'));
      child.once('exit', () => settle('timed out'));
      child.send(changed);
    });
  }

  /** It has a process group of its own, of which nothing outlives it. */
  end(): void {
    const { pid } = this.#child ?? {};
    this.#child = null;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Nothing of it is left.
    }
  }

  #start(): ChildProcess {
    const { tree, tests, serverUrl } = this.#options;
    const env = { ...process.env, TEST_DATABASE_URL: serverUrl };
    this.#child = fork(HOST, tests, {
      cwd: tree,
      env,
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    return this.#child;
  }
}
