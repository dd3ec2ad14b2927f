import type { Database, Statement } from '../db/database.ts';
import type { Bound } from '../lib/bound.ts';
import { Coalescer } from '../lib/coalescer.ts';
import type { Change } from './fence.ts';
import { type SecretState, type StateRow, stateOf } from './state.ts';

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
export interface Loaded {
  ref: string;
  state: SecretState | null;
  incarnation: string | null;
  /** A reset came while it was under way: the answer may be of another run of Postgres. */
  discarded: boolean;
}

/** A load statement under way, and what the fence said meanwhile. */
class Flight {
  readonly #named = new Set<string>();
  #anyWorkspace = false;
  discarded = false;

  name({ kind, id }: Change): void {
    this.#named.add(`${kind} ${id}`);
    if (kind === 'workspace') this.#anyWorkspace = true;
    if (kind === 'everything') this.discarded = true;
  }

  /** Whether nothing that was loaded has been named. */
  isCurrent(ref: string, state: SecretState | null): boolean {
    if (this.discarded || this.#named.has(`secret ${ref}`)) return false;
    if (!state) return !this.#anyWorkspace;
    return (
      !this.#named.has(`key ${state.keyId}`) && !this.#named.has(`workspace ${state.workspaceId}`)
    );
  }
}

/**
 * Reads states in coalesced statements. Nobody joins a load that has begun, so each answer is from
 * a snapshot taken after the question. What no fence named while it was under way is offered for
 * remembering in the same tick in which it arrives, so that no fence can come between.
 */
export class StateLoader {
  readonly #database: Database;
  readonly #remember: (loaded: Loaded) => void;
  readonly #flights = new Set<Flight>();
  readonly #coalescer = new Coalescer<string, Loaded | Error>({
    run: (refs) => this.#load(refs),
    maxInFlight: 2,
    maxBatch: 500,
    maxWaiting: 20_000,
  });
  #count = 0;

  constructor(database: Database, remember: (loaded: Loaded) => void) {
    this.#database = database;
    this.#remember = remember;
  }

  get bound(): Bound {
    return this.#coalescer.boundAs('loads_waiting');
  }

  /** Load statements sent since the start. */
  get count(): number {
    return this.#count;
  }

  async load(ref: string): Promise<Loaded> {
    const answer = await this.#coalescer.add(ref);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  /** What is named while a load is under way may be answered to those who asked, never remembered. */
  forget(changes: readonly Change[]): void {
    for (const flight of this.#flights) for (const change of changes) flight.name(change);
  }

  discard(): void {
    for (const flight of this.#flights) flight.discarded = true;
  }

  async #load(refs: readonly string[]): Promise<(Loaded | Error)[]> {
    const flight = new Flight();
    this.#flights.add(flight);
    this.#count++;
    try {
      const rows = await this.#database.query<StateRow>(LOAD, [[...new Set(refs)]]);
      const answers = new Map(rows.map((row) => [row.ref, this.#receive(row, flight)]));
      return refs.map((ref) => answers.get(ref) ?? new Error('a load answers each ref'));
    } finally {
      this.#flights.delete(flight);
    }
  }

  #receive(row: StateRow, flight: Flight): Loaded | Error {
    const { ref, incarnation } = row;
    const state = readState(row);
    if (state instanceof Error) return state;
    const loaded = { ref, state, incarnation, discarded: flight.discarded };
    // A secret without its key (someone is half way through writing them) is not remembered.
    const isWhole = state !== null || !row.has_secret;
    if (isWhole && flight.isCurrent(ref, state)) this.#remember(loaded);
    return loaded;
  }
}

/** A row that is not understood fails those who asked for it, not those who asked beside them. */
function readState(row: StateRow): SecretState | Error | null {
  try {
    return stateOf(row);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
