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
/** Where tests take this much longer than the compiler, it is asked first. */
const SLOW = 5;
/** A mutant may take this much longer than none. */
const PATIENCE = { factor: 3, ms: 30_000 };

/** Tries mutants of one area, one after the other. */
export class Trial {
  readonly #options: TrialOptions;
  readonly #host: HostProcess;
  #timeoutMs = 3_600_000;
  #compilesFirst = false;

  constructor(options: TrialOptions) {
    this.#options = options;
    this.#host = new HostProcess(options);
    options.signal.addEventListener('abort', () => this.end());
  }

  /** Without a mutant all has to be well. How long the tests take then, in milliseconds. */
  async prepare(): Promise<number> {
    const compilerMs = await timeOf(async () => {
      if (!(await this.#compiles())) throw new Error('the copy does not compile without a mutant');
    });
    const testsMs = await timeOf(() => this.confirm());
    this.#timeoutMs = PATIENCE.factor * testsMs + PATIENCE.ms;
    this.#compilesFirst = testsMs > SLOW * compilerMs;
    return testsMs;
  }

  async confirm(): Promise<void> {
    const outcome = await this.#host.runTests('', this.#timeoutMs);
    if (outcome !== 'passed') throw new Error('the tests fail without a mutant');
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
    if (this.#compilesFirst && !(await this.#compiles())) return 'refused';
    const outcome = await this.#host.runTests(path, this.#timeoutMs);
    if (outcome !== 'passed') return outcome === 'failed' ? 'killed' : outcome;
    return this.#compilesFirst || (await this.#compiles()) ? 'survived' : 'refused';
  }

  /** A host migrates its database when it starts. */
  async #ofMigration(path: string): Promise<Outcome> {
    if (!(await this.#migrates())) return 'refused';
    this.end();
    const outcome = await this.#host.runTests(path, this.#timeoutMs);
    this.end();
    return outcome === 'passed' ? 'survived' : outcome === 'failed' ? 'killed' : outcome;
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

async function timeOf(act: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await act();
  return performance.now() - begun;
}
