import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

/** How long the tests under way may go on after one has failed: they may hang. */
const GRACE_MS = 15_000;
const HOST = join(import.meta.dirname, 'host.ts');

interface HostOptions {
  tree: string;
  tests: readonly string[];
  serverUrl: string;
  /** Where tests put what is temporary. */
  folder: string;
}

export type Run = 'passed' | 'failed' | 'timed out' | 'crashed';

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

  /** Whether the tests pass, now that a file has changed. One that says nothing for long is ended. */
  runTests(changed: string, silenceMs: number): Promise<Run> {
    const child = this.#child ?? this.#start();
    let onExit: Run = 'crashed';
    const endAs = (run: Run) => () => {
      onExit = run;
      this.end();
    };
    let timer = setTimeout(endAs('timed out'), silenceMs);
    let isFailing = false;
    return new Promise((resolve) => {
      const settle = (run: Run) => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(run);
      };
      child.on('message', (said) => {
        if (said === 'passed' || said === 'failed') return settle(said);
        if (isFailing) return;
        isFailing = said === 'failing';
        clearTimeout(timer);
        timer = isFailing
          ? setTimeout(endAs('failed'), GRACE_MS)
          : setTimeout(endAs('timed out'), silenceMs);
      });
      child.once('exit', () => {
        this.end();
        settle(onExit);
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
    const log = openSync(join(folder, 'host.log'), 'a');
    const stdio: StdioOptions = ['ignore', 'ignore', log, 'ipc'];
    this.#child = fork(HOST, tests, { cwd: tree, env, detached: true, stdio });
    closeSync(log);
    return this.#child;
  }
}
