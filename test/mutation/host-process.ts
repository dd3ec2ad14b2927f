import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

/** How long a file of tests may go on after one of them has failed: others may hang. */
const GRACE_MS = 5000;
const HOST = join(import.meta.dirname, 'host.ts');

interface HostOptions {
  tree: string;
  tests: readonly string[];
  serverUrl: string;
  /** Where tests put what is temporary. */
  folder: string;
}

/** The parent's side of a host. One that has ended is started again when it is needed. */
export class HostProcess {
  readonly #options: HostOptions;
  #child: ChildProcess | null = null;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** Whether the tests pass, now that a file has changed. Without an answer in time it is ended. */
  runTests(changed: string, timeoutMs: number): Promise<'passed' | 'failed' | 'timed out'> {
    const child = this.#child ?? this.#start();
    let ended: 'failed' | 'timed out' = 'timed out';
    let timer = setTimeout(() => this.end(), timeoutMs);
    return new Promise((resolve) => {
      const settle = (outcome: 'passed' | 'failed' | 'timed out') => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(outcome);
      };
      child.on('message', (said) => {
        if (said === 'passed' || said === 'failed') return settle(said);
        ended = 'failed';
        clearTimeout(timer);
        timer = setTimeout(() => this.end(), GRACE_MS);
      });
      child.once('exit', () => {
        this.end();
        settle(ended);
      });
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
    const { tree, tests, serverUrl, folder } = this.#options;
    const env = { ...process.env, TEST_DATABASE_URL: serverUrl, TMPDIR: folder };
    this.#child = fork(HOST, tests, {
      cwd: tree,
      env,
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    return this.#child;
  }
}
