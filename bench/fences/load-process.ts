import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface FenceLoadOptions {
  databaseUrl: string;
  postmaster: number;
  instances: number;
}

/** How the instances ask during one measurement. */
export interface Asking {
  seconds: number;
  /** Of each instance; null: again as soon as it has its answer. */
  perSecond: number | null;
}

export interface MeasuredFences {
  perSecond: number;
  /** The share that had to read the feed. */
  full: number;
  p50Ms: number;
  p99Ms: number;
  /** Processor time as a share of a core: of the fences' backends, of all of Postgres, of the load. */
  backends: number;
  postgres: number;
  load: number;
}

const INSTANCES = fileURLToPath(new URL('instances.ts', import.meta.url));

/** Simulated instances in a process of their own. */
export class FenceLoad {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'exit').then(() => {
      throw new Error('the simulated instances ended without a result');
    });
    this.#ended.catch(() => {});
  }

  static async start(options: FenceLoadOptions): Promise<FenceLoad> {
    const load = new FenceLoad(fork(INSTANCES, { execArgv: [] }));
    await load.#ask(options);
    return load;
  }

  async measure(asking: Asking): Promise<MeasuredFences> {
    const [measured]: MeasuredFences[] = await this.#ask(asking);
    if (!measured) throw new Error('the simulated instances sent no result');
    return measured;
  }

  async end(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    await exit;
  }

  #ask(message: FenceLoadOptions | Asking) {
    this.#child.send(message);
    return Promise.race([once(this.#child, 'message'), this.#ended]);
  }
}
