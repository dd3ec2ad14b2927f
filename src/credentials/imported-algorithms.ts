import type { Database, Statement } from '../db/database.ts';
import { type ImportAlgorithm, importedDigest } from '../domain/imported-key.ts';
import type { Fence } from '../freshness/fence.ts';
import type { Invalidation, InvalidationListener } from '../freshness/invalidation.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';

const ALGORITHMS: Statement = {
  name: 'imported_algorithms',
  text: `select coalesce(array_agg(algorithm), '{}') as algorithms,
                (select id::text from incarnation) as incarnation
           from imported_algorithms`,
};

/**
 * The digests by which keys of other systems were imported, kept fresh by the fence. As long as
 * nothing was imported, a string that is not a native key costs no read of its own.
 */
export class ImportedAlgorithms implements InvalidationListener {
  readonly #database: Database;
  readonly #fence: Fence;
  #algorithms: readonly ImportAlgorithm[] | null = null;
  #loading: Promise<readonly ImportAlgorithm[]> | null = null;
  /** Counts resets: what was read before one is not cached. */
  #generation = 0;

  constructor(database: Database, fence: Fence) {
    this.#database = database;
    this.#fence = fence;
    fence.subscribe(this);
  }

  /** Whether nothing was ever imported, as of the last fence; false also if that is not known. */
  get areNone(): boolean {
    return this.#algorithms?.length === 0;
  }

  /** The digests by which the string may have been imported. */
  async digestsOf(presented: string): Promise<string[]> {
    await this.#fence.waitUntilFresh();
    const algorithms = this.#algorithms ?? (await this.#load());
    return algorithms.map((algorithm) => importedDigest(algorithm, presented));
  }

  /** The first import with an algorithm invalidates everything. */
  invalidate(invalidations: readonly Invalidation[]): void {
    if (invalidations.some(({ kind }) => kind === 'everything')) this.reset();
  }

  reset(): void {
    this.#generation++;
    this.#algorithms = null;
    this.#loading = null;
  }

  /** Callers may join a load in flight: their own fence has found nothing changed since it began. */
  async #load(): Promise<readonly ImportAlgorithm[]> {
    const loading = this.#loading ?? this.#read(this.#generation);
    this.#loading = loading;
    try {
      return await loading;
    } finally {
      if (this.#loading === loading) this.#loading = null;
    }
  }

  async #read(generation: number): Promise<readonly ImportAlgorithm[]> {
    const [row] = await this.#database.query<{
      algorithms: ImportAlgorithm[];
      incarnation: string | null;
    }>(ALGORITHMS, []);
    if (!row || row.incarnation !== this.#fence.incarnation) {
      throw new UnavailableError('read from another run of the database');
    }
    if (generation === this.#generation) this.#algorithms = row.algorithms;
    return row.algorithms;
  }
}
