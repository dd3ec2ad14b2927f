import type { Database, Statement } from '../db/database.ts';
import type { Invalidation } from '../freshness/fence.ts';
import { RequestBatcher } from '../lib/request-batcher.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { type Credential, type CredentialRow, toCredential } from './credential.ts';

const LOAD: Statement = {
  name: 'load_states',
  text: `
    select wanted.ref, (select id::text from incarnation) as incarnation,
           s.ref is not null as has_secret,
           case when k.id is not null then 'key' when m.id is not null then 'management' end as kind,
           s.key_id, s.hash, s.status as secret_status, s.valid_until, p.pepper_id, p.proof,
           w.id as workspace_id, w.status as workspace_status, w.require_resource,
           coalesce(k.name, m.name) as name, coalesce(k.expires_at, m.expires_at) as expires_at,
           coalesce(k.revoked_at, m.revoked_at) is not null as revoked,
           coalesce(k.deleted_at, w.deleted_at) is not null as deleted,
           k.owner_id, k.scopes, k.resources, k.allowed_ips, k.metadata, k.enabled, k.not_before,
           k.min_policy_version, k.limit_names, k.limit_units, k.limit_windows, k.credits_limited,
           k.refill_interval, k.refill_amount, k.refill_day, m.permissions
      from unnest($1::text[]) as wanted (ref)
      left join secrets s on s.ref = wanted.ref
      left join keys k on k.id = s.key_id
      left join management_keys m on m.id = s.key_id
      left join workspaces w on w.id = coalesce(k.workspace_id, m.workspace_id)
      left join secret_proofs p on p.ref = s.ref`,
};

/** What a load found, from a snapshot that was taken after it was asked for. */
export interface LoadedCredential {
  ref: string;
  credential: Credential | null;
  incarnation: string | null;
  /** A reset came while it was under way: the answer may be of another run of Postgres. */
  discarded: boolean;
}

/** A load statement under way, and what the fence said meanwhile. */
class LoadInFlight {
  readonly #invalidated = new Set<string>();
  #anyWorkspaceInvalidated = false;
  discarded = false;

  invalidate({ kind, id }: Invalidation): void {
    this.#invalidated.add(`${kind} ${id}`);
    if (kind === 'workspace') this.#anyWorkspaceInvalidated = true;
    if (kind === 'everything') this.discarded = true;
  }

  /** Whether nothing that was loaded has been named. */
  isCurrent(ref: string, state: Credential | null): boolean {
    if (this.discarded || this.#invalidated.has(`secret ${ref}`)) return false;
    if (!state) return !this.#anyWorkspaceInvalidated;
    return (
      !this.#invalidated.has(`key ${state.keyId}`) &&
      !this.#invalidated.has(`workspace ${state.workspaceId}`)
    );
  }
}

/**
 * Reads states in coalesced statements. Nobody joins a load that has begun, so each answer is from
 * a snapshot taken after the question. What no fence named while it was under way is offered for
 * remembering in the same tick in which it arrives, so that no fence can come between.
 */
export class CredentialLoader {
  readonly #database: Database;
  readonly #cache: (loaded: LoadedCredential) => void;
  readonly #loadsInFlight = new Set<LoadInFlight>();
  readonly #batcher = new RequestBatcher<string, LoadedCredential | Error>({
    run: (refs) => this.#load(refs),
    maxInFlight: 2,
    maxBatch: 500,
    maxWaiting: 20_000,
  });
  #count = 0;

  constructor(database: Database, remember: (loaded: LoadedCredential) => void) {
    this.#database = database;
    this.#cache = remember;
  }

  get resourceLimit(): ResourceLimit {
    return this.#batcher.resourceLimit('loads_waiting');
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

  /** What is named while a load is under way may be answered to those who asked, never remembered. */
  invalidate(changes: readonly Invalidation[]): void {
    for (const flight of this.#loadsInFlight)
      for (const change of changes) flight.invalidate(change);
  }

  discard(): void {
    for (const flight of this.#loadsInFlight) flight.discarded = true;
  }

  async #load(refs: readonly string[]): Promise<(LoadedCredential | Error)[]> {
    const flight = new LoadInFlight();
    this.#loadsInFlight.add(flight);
    this.#count++;
    try {
      const rows = await this.#database.query<CredentialRow>(LOAD, [[...new Set(refs)]]);
      const answers = new Map(rows.map((row) => [row.ref, this.#receive(row, flight)]));
      return refs.map((ref) => answers.get(ref) ?? new Error('a load answers each ref'));
    } finally {
      this.#loadsInFlight.delete(flight);
    }
  }

  #receive(row: CredentialRow, flight: LoadInFlight): LoadedCredential | Error {
    const { ref, incarnation } = row;
    const state = parseRow(row);
    if (state instanceof Error) return state;
    const loaded = { ref, credential: state, incarnation, discarded: flight.discarded };
    // A secret without its key (someone is half way through writing them) is not remembered.
    const isWhole = state !== null || !row.has_secret;
    if (isWhole && flight.isCurrent(ref, state)) this.#cache(loaded);
    return loaded;
  }
}

/** A row that is not understood fails those who asked for it, not those who asked beside them. */
function parseRow(row: CredentialRow): Credential | Error | null {
  try {
    return toCredential(row);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
