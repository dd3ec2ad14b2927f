import { LRUCache } from 'lru-cache';
import type { Database } from '../db/database.ts';
import type { Bound } from '../lib/bound.ts';
import { UnavailableError } from '../lib/unavailable.ts';
import type { Change, Fence, FenceListener } from './fence.ts';
import type { SecretState } from './state.ts';
import { type Loaded, StateLoader } from './state-loader.ts';

const ABSENT_REMEMBERED = 10_000;
const ATTEMPTS = 3;

/**
 * What is known of secrets, in memory and vouched for by the fence. Unknown refs are remembered
 * apart, so that they cannot push good keys out.
 */
export class States implements FenceListener {
  readonly #fence: Fence;
  readonly #staleIfErrorMs: number;
  readonly #loader: StateLoader;
  readonly #held: LRUCache<string, SecretState>;
  readonly #absent = new LRUCache<string, true>({ max: ABSENT_REMEMBERED });
  readonly #refsOfKey = new Map<string, string[]>();

  /** @param staleIfErrorMs how long memory may answer while the database is away; 0: never. */
  constructor(database: Database, fence: Fence, capacity: number, staleIfErrorMs = 0) {
    this.#fence = fence;
    this.#staleIfErrorMs = staleIfErrorMs;
    this.#loader = new StateLoader(database, (loaded) => this.#remember(loaded));
    this.#held = new LRUCache({
      max: capacity,
      dispose: (state, ref) => this.#unindex(state.keyId, ref),
      noDisposeOnSet: true,
    });
    fence.listen(this);
  }

  get size(): number {
    return this.#held.size;
  }

  get bounds(): Bound[] {
    return [
      { name: 'states', max: this.#held.max, used: () => this.#held.size },
      { name: 'unknown_refs', max: this.#absent.max, used: () => this.#absent.size },
      this.#loader.bound,
    ];
  }

  /** Load statements sent since the start. */
  get loads(): number {
    return this.#loader.count;
  }

  /** The state of a secret as of now or later; null where there is no such secret. */
  get(ref: string): Promise<SecretState | null> {
    const fresh = this.#fresh(ref);
    if (this.#staleIfErrorMs === 0) return fresh;
    return fresh.catch((error) => {
      const held = error instanceof UnavailableError ? this.#stale(ref) : null;
      if (!held) throw error;
      return held;
    });
  }

  /** Whether this very key has been proven to be behind the secret, which is in memory. */
  hasProven(ref: string, digest: string): boolean {
    return this.#held.peek(ref)?.provenBy === digest;
  }

  /** What was known when the database was last heard, where the operator allows that. */
  #stale(ref: string): SecretState | null {
    const held = this.#held.get(ref);
    if (!held || this.#fence.ageMs >= this.#staleIfErrorMs) return null;
    return { ...held, stale: true };
  }

  async #fresh(ref: string): Promise<SecretState | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // No load either: a crowd must not ask a database that is away.
      if (this.#fence.isDown) break;
      const passing = this.#fence.pass();
      let loaded: Loaded | null = null;
      if (this.#remembers(ref)) await passing;
      else [loaded] = await Promise.all([this.#loader.load(ref), passing]);
      const held = this.#held.get(ref);
      if (held) return held;
      if (this.#absent.has(ref)) return null;
      if (loaded && this.#isOfThisRun(loaded)) return loaded.state;
    }
    throw new UnavailableError('the database is away, or changed too often while it was read');
  }

  forget(changes: readonly Change[]): void {
    this.#loader.forget(changes);
    for (const change of changes) this.#evict(change);
  }

  reset(): void {
    this.#loader.discard();
    this.#clear();
  }

  #remembers(ref: string): boolean {
    return this.#held.has(ref) || this.#absent.has(ref);
  }

  #isOfThisRun({ discarded, incarnation }: Loaded): boolean {
    return !discarded && incarnation !== null && incarnation === this.#fence.incarnation;
  }

  #remember(loaded: Loaded): void {
    if (!this.#isOfThisRun(loaded)) return;
    if (loaded.state) this.#hold(loaded.state);
    else this.#absent.set(loaded.ref, true);
  }

  #hold(state: SecretState): void {
    const { keyId, ref } = state;
    if (!this.#held.has(ref)) {
      this.#refsOfKey.set(keyId, [...(this.#refsOfKey.get(keyId) ?? []), ref]);
    }
    this.#held.set(ref, state);
  }

  #evict({ kind, id }: Change): void {
    if (kind === 'everything') this.#clear();
    else if (kind === 'workspace') this.#evictWorkspace(id);
    else if (kind === 'key')
      for (const ref of this.#refsOfKey.get(id) ?? []) this.#held.delete(ref);
    else this.#evictSecret(id);
  }

  #clear(): void {
    this.#held.clear();
    this.#absent.clear();
  }

  #evictSecret(ref: string): void {
    this.#held.delete(ref);
    this.#absent.delete(ref);
  }

  /** Rare and wide, so it may look at each: a suspension, or a bulk change. */
  #evictWorkspace(id: string): void {
    for (const [ref, state] of this.#held.entries()) {
      if (state.workspaceId === id) this.#held.delete(ref);
    }
    this.#absent.clear();
  }

  #unindex(keyId: string, ref: string): void {
    const others = this.#refsOfKey.get(keyId)?.filter((other) => other !== ref) ?? [];
    if (others.length > 0) this.#refsOfKey.set(keyId, others);
    else this.#refsOfKey.delete(keyId);
  }
}
