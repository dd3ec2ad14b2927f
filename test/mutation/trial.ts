import pg from 'pg';
import { succeeds } from './command.ts';
import { HostProcess } from './host-process.ts';
import { endServersIn } from './leftovers.ts';
import type { Edit, Outcome } from './record.ts';
import { during, SOURCES_ONLY } from './tree.ts';

interface TrialOptions {
  /** A copy of the tree, to be changed. */
  tree: string;
  tests: readonly string[];
  serverUrl: string;
  /** Where tests put what is temporary. */
  folder: string;
  signal: AbortSignal;
}

const SCRATCH = 'keyward_scratch';
/** That something is no longer used is no reason to refuse a mutant. */
const UNUSED = ['--noUnusedLocals', 'false', '--noUnusedParameters', 'false'];
const COMPILER = ['tsc', '-p', SOURCES_ONLY, '--incremental', ...UNUSED];
/** Tests and hooks have limits of their own: no result for this long comes from an endless loop. */
const SILENCE_MS = 90_000;

const OUTCOMES = {
  passed: 'survived',
  failed: 'killed',
  'timed out': 'timed out',
  crashed: 'unknown',
} as const;

/** Tries mutants of one area, one after the other. */
export class Trial {
  readonly #options: TrialOptions;
  readonly #host: HostProcess;

  constructor(options: TrialOptions) {
    this.#options = options;
    this.#host = new HostProcess(options);
    options.signal.addEventListener('abort', () => this.end());
  }

  /** What the compiler refuses without a mutant it would refuse with every one. */
  async prepare(): Promise<void> {
    if (!(await this.#compiles())) throw new Error('the copy does not compile without a mutant');
  }

  /** Without a mutant all tests that have failed have to pass. */
  async confirm(): Promise<void> {
    const run = await this.#host.runTests('', SILENCE_MS);
    if (run === 'passed' || this.#options.signal.aborted) return;
    throw new Error(`without a mutant the tests have not passed: ${run}`);
  }

  async outcomeOf(edit: Edit): Promise<Outcome> {
    const outcome = await during(this.#options.tree, edit, (path) =>
      path.endsWith('.sql') ? this.#ofMigration(path) : this.#ofSource(path),
    );
    if (!this.#host.isRunning) await endServersIn(this.#options.folder);
    return outcome;
  }

  end(): void {
    this.#host.end();
  }

  /** Types are tests too: what they refuse need not be found by others. */
  async #ofSource(path: string): Promise<Outcome> {
    return (await this.#compiles()) ? this.#ofTests(path) : 'refused';
  }

  /** A host migrates its database when it starts. */
  async #ofMigration(path: string): Promise<Outcome> {
    if (!(await this.#migrates())) return 'refused';
    this.end();
    const outcome = await this.#ofTests(path);
    this.end();
    return outcome;
  }

  async #ofTests(path: string): Promise<Outcome> {
    const run = await this.#host.runTests(path, SILENCE_MS);
    if (run !== 'crashed' || this.#options.signal.aborted) return OUTCOMES[run];
    // That the host itself ends says nothing about the mutant.
    return OUTCOMES[await this.#host.runTests(path, SILENCE_MS)];
  }

  #compiles(): Promise<boolean> {
    return succeeds(COMPILER, this.#options.tree);
  }

  async #migrates(): Promise<boolean> {
    const { tree, serverUrl } = this.#options;
    const url = new URL(serverUrl);
    url.pathname = `/${SCRATCH}`;
    const client = new pg.Client({ connectionString: serverUrl });
    await client.connect();
    await client.query(`drop database if exists ${SCRATCH}`);
    await client.query(`create database ${SCRATCH}`);
    await client.end();
    return succeeds(['node', 'src/main.ts', 'migrate'], tree, { DATABASE_URL: url.href });
  }
}
