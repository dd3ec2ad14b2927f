import type { Database, Statement } from '../db/database.ts';
import { type ImportAlgorithm, importedRef } from '../domain/imported-key.ts';
import type { Fence, InvalidationListener } from '../freshness/fence.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';

const ALGORITHMS: Statement = {
  name: 'imported_algorithms',
  text: `select coalesce(array_agg(algorithm), '{}') as algorithms,
                (select id::text from incarnation) as incarnation
           from imported_algorithms`,
};

/**
 * Where strings that are not native keys may be imported ones. The fence vouches for what is known
 * of that: where nothing was imported, such a string costs no read of its own.
 */
export class ImportedAlgorithms implements InvalidationListener {
  readonly #database: Database;
  readonly #fence: Fence;
  #algorithms: readonly ImportAlgorithm[] | null = null;
  #loading: Promise<readonly ImportAlgorithm[]> | null = null;
  /** Counts the changes: what was read before one is not remembered. */
  #generation = 0;

  constructor(database: Database, fence: Fence) {
    this.#database = database;
    this.#fence = fence;
    fence.subscribe(this);
  }

  /** The refs under which the string would be known. */
  async refsOf(key: string): Promise<string[]> {
    await this.#fence.waitUntilFresh();
    const algorithms = this.#algorithms ?? (await this.#load());
    return algorithms.map((algorithm) => importedRef(algorithm, key));
  }

  /** An import of a kind that was not there before is named as a change of everything. */
  invalidate(changes: readonly { kind: string }[]): void {
    if (changes.some(({ kind }) => kind === 'everything')) this.reset();
  }

  reset(): void {
    this.#generation++;
    this.#algorithms = null;
    this.#loading = null;
  }

  /** Joined by those whose own fence has found nothing changed since it began. */
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
