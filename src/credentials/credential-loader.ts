import type { Database } from '../db/database.ts';
import { readRow, type UnreadRow } from '../db/unread-rows.ts';
import { isForEveryWorkspace, isImportedLookup, lookupsOf } from '../domain/imported-key.ts';
import type { Invalidation } from '../freshness/invalidation.ts';
import { LOADED_ROW_BYTES } from '../lib/memory-budget.ts';
import { RequestBatcher } from '../lib/request-batcher.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { mapInTurns } from '../lib/turns.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import { type Credential, toCredential } from './credential.ts';
import { LOAD_CREDENTIALS, type RawCredentialRow, readCredentialRow } from './credential-row.ts';

/** An answer that depends on more keys than this is not cached. */
const MAX_DECIDING_KEYS = 100;

/** What a load found, in a snapshot that was taken after it was asked for. */
export interface LoadedCredential {
  /** What was asked for: the ref of a native secret, or a lookup of imported ones. */
  ref: string;
  credential: Credential | null;
  /** The keys that decide whether this is the answer. */
  keyIds: readonly string[];
  incarnation: string | null;
  load: Pick<LoadInFlight, 'discarded'>;
}

export interface LoadBounds {
  /** Rows in one statement, of which two are in flight. */
  rows: number;
  waiting: number;
}

const MAX_IN_FLIGHT = 2;

type Ready = (index: number, answer: LoadedCredential | Error) => void;

/** A load statement in flight, and what the fence has invalidated meanwhile. */
class LoadInFlight {
  readonly #invalidated = new Set<string>();
  #anyWorkspaceInvalidated = false;
  /** A reset came while it was in flight: its answer may come from another run of Postgres. */
  discarded = false;

  invalidate({ kind, id }: Invalidation): void {
    if (kind === 'secret') for (const ref of lookupsOf(id)) this.#invalidated.add(`secret ${ref}`);
    else this.#invalidated.add(`${kind} ${id}`);
    if (kind === 'workspace') this.#anyWorkspaceInvalidated = true;
    if (kind === 'everything') this.discarded = true;
  }

  /** Whether nothing that was loaded has been invalidated. */
  isCurrent({ ref, credential, keyIds }: LoadedCredential): boolean {
    if (this.discarded || this.#invalidated.has(`secret ${ref}`)) return false;
    if (keyIds.some((id) => this.#invalidated.has(`key ${id}`))) return false;
    if (!credential || isForEveryWorkspace(ref)) return !this.#anyWorkspaceInvalidated;
    return !this.#invalidated.has(`workspace ${credential.workspaceId}`);
  }
}

/**
 * Loads credentials in batched statements. No caller joins a load that has begun, so each answer
 * comes from a snapshot taken after the call. What no fence has invalidated meanwhile is offered to
 * the cache in the same tick in which it is found current, so that no fence can come between.
 */
export class CredentialLoader {
  readonly #database: Database;
  readonly #cache: (loaded: LoadedCredential) => void;
  readonly #loadsInFlight = new Set<LoadInFlight>();
  readonly #batcher: RequestBatcher<string, LoadedCredential | Error>;
  readonly #maxRows: number;
  #rowsInFlight = 0;
  #count = 0;

  constructor(database: Database, bounds: LoadBounds, cache: (loaded: LoadedCredential) => void) {
    this.#database = database;
    this.#cache = cache;
    this.#maxRows = bounds.rows * MAX_IN_FLIGHT;
    this.#batcher = new RequestBatcher({
      run: (refs, ready) => this.#load(refs, ready),
      maxInFlight: MAX_IN_FLIGHT,
      maxBatch: bounds.rows,
      maxWaiting: bounds.waiting,
      // A native ref has a checksum; of unknown strings anyone can make as many as they like.
      isFirst: (ref) => !isImportedLookup(ref),
    });
  }

  get resourceLimits(): ResourceLimit[] {
    const max = this.#maxRows;
    const used = () => this.#rowsInFlight;
    return [
      this.#batcher.resourceLimit('loads_waiting'),
      { name: 'rows_loading', max, bytesEach: LOADED_ROW_BYTES, used },
    ];
  }

  /** Load statements sent since the start. */
  get count(): number {
    return this.#count;
  }

  async load(ref: string): Promise<LoadedCredential> {
    const answer = await this.#batcher.add(ref);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  /** What is invalidated while it is loaded may answer those who asked, but is never cached. */
  invalidate(invalidations: readonly Invalidation[]): void {
    for (const load of this.#loadsInFlight) {
      for (const invalidation of invalidations) load.invalidate(invalidation);
    }
  }

  discard(): void {
    for (const load of this.#loadsInFlight) load.discarded = true;
  }

  async #load(refs: readonly string[], ready: Ready): Promise<(LoadedCredential | Error)[]> {
    const load = new LoadInFlight();
    this.#loadsInFlight.add(load);
    this.#count++;
    this.#rowsInFlight += refs.length;
    try {
      const asked = Map.groupBy(refs.entries(), ([, ref]) => ref);
      const rows = await this.#database.query<UnreadRow>(LOAD_CREDENTIALS, [[...asked.keys()]]);
      const answers = new Map<string, LoadedCredential | Error>();
      // In turns where rows are large. Fences may come between them: the load is in flight.
      await mapInTurns(rows, (unread) => {
        const row = readRow<RawCredentialRow>(unread);
        const answer = this.#receive(row, load);
        answers.set(row.ref, answer);
        for (const [index] of asked.get(row.ref) ?? []) ready(index, answer);
      });
      return refs.map((ref) => answers.get(ref) ?? new Error('a load answers each ref'));
    } finally {
      this.#rowsInFlight -= refs.length;
      this.#loadsInFlight.delete(load);
    }
  }

  #receive(row: RawCredentialRow, load: LoadInFlight): LoadedCredential | Error {
    const { ref, incarnation } = row;
    const credential = parseRow(row);
    if (credential instanceof Error) return credential;
    const keyIds = decidingKeys(credential, row);
    const loaded = { ref, credential, keyIds, incarnation, load };
    // A secret without its key, which someone is about to write, is not cached as unknown.
    const isWhole = (credential !== null || !row.is_secret) && keyIds.length <= MAX_DECIDING_KEYS;
    if (isWhole && load.isCurrent(loaded)) this.#cache(loaded);
    return loaded;
  }
}

/** The key of the answer, and deleted ones whose return would make another the answer. */
function decidingKeys(credential: Credential | null, row: RawCredentialRow): string[] {
  if (!credential) return [];
  const { keyId } = credential;
  return [keyId, ...(row.deleted_keys ?? []).filter((id) => id !== keyId)];
}

/** A row that cannot be read fails those who asked for it, not those who asked beside them. */
function parseRow(raw: RawCredentialRow): Credential | Error | null {
  try {
    const row = readCredentialRow(raw);
    return row && toCredential(row);
  } catch (error) {
    return new UnavailableError('a stored key cannot be read', { cause: error });
  }
}
