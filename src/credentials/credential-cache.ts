import { LRUCache } from 'lru-cache';
import type { Database } from '../db/database.ts';
import type { Fence } from '../freshness/fence.ts';
import type { Invalidation, InvalidationListener } from '../freshness/invalidation.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import type { Credential } from './credential.ts';
import { CredentialLoader, type LoadedCredential } from './credential-loader.ts';

const MAX_UNKNOWN_REFS = 10_000;
const ATTEMPTS = 3;

/**
 * Credentials in memory, kept fresh by the fence. Unknown refs have a cache of their own, so that
 * they cannot push known keys out.
 */
export class CredentialCache implements InvalidationListener {
  readonly #fence: Fence;
  readonly #staleIfErrorMs: number;
  readonly #loader: CredentialLoader;
  readonly #cached: LRUCache<string, Credential>;
  readonly #unknownRefs = new LRUCache<string, true>({ max: MAX_UNKNOWN_REFS });
  readonly #refsOfKey = new Map<string, string[]>();

  /** @param staleIfErrorMs how long memory may answer while the database is away; 0: never. */
  constructor(database: Database, fence: Fence, capacity: number, staleIfErrorMs = 0) {
    this.#fence = fence;
    this.#staleIfErrorMs = staleIfErrorMs;
    this.#loader = new CredentialLoader(database, (loaded) => this.#add(loaded));
    this.#cached = new LRUCache({
      max: capacity,
      dispose: (credential, ref) => this.#unindex(credential.keyId, ref),
      noDisposeOnSet: true,
    });
    fence.subscribe(this);
  }

  get size(): number {
    return this.#cached.size;
  }

  get resourceLimits(): ResourceLimit[] {
    return [
      { name: 'credentials', max: this.#cached.max, used: () => this.#cached.size },
      { name: 'unknown_refs', max: this.#unknownRefs.max, used: () => this.#unknownRefs.size },
      this.#loader.resourceLimit,
    ];
  }

  /** Load statements sent since the start. */
  get loads(): number {
    return this.#loader.count;
  }

  /** The credential with this ref as of now or later; null if there is none. */
  get(ref: string): Promise<Credential | null> {
    const fresh = this.#getFresh(ref);
    if (this.#staleIfErrorMs === 0) return fresh;
    return fresh.catch((error) => {
      const stale = error instanceof UnavailableError ? this.#getStale(ref) : null;
      if (!stale) throw error;
      return stale;
    });
  }

  /** Whether this presented string is known to match the cached credential. */
  hasMatched(ref: string, digest: string): boolean {
    return this.recall(ref, digest) !== null;
  }

  /** The cached credential that this presented string has matched, as of the last fence. */
  recall(ref: string, digest: string): Credential | null {
    const cached = this.#cached.peek(ref);
    return cached?.matchedDigest === digest ? cached : null;
  }

  /** What was cached when the database last answered, if the operator allows that. */
  #getStale(ref: string): Credential | null {
    const cached = this.#cached.get(ref);
    if (!cached || this.#fence.ageMs >= this.#staleIfErrorMs) return null;
    return { ...cached, stale: true };
  }

  async #getFresh(ref: string): Promise<Credential | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Nor load: a crowd must not ask a database that is away.
      if (this.#fence.isDown) break;
      const fresh = this.#fence.waitUntilFresh();
      let loaded: LoadedCredential | null = null;
      if (this.#has(ref)) await fresh;
      else [loaded] = await Promise.all([this.#loader.load(ref), fresh]);
      const cached = this.#cached.get(ref);
      if (cached) return cached;
      if (this.#unknownRefs.has(ref)) return null;
      if (loaded && this.#isOfThisIncarnation(loaded)) return loaded.credential;
    }
    throw new UnavailableError('the database is away, or changed too often while it was read');
  }

  invalidate(invalidations: readonly Invalidation[]): void {
    this.#loader.invalidate(invalidations);
    for (const invalidation of invalidations) this.#evict(invalidation);
  }

  reset(): void {
    this.#loader.discard();
    this.#clear();
  }

  #has(ref: string): boolean {
    return this.#cached.has(ref) || this.#unknownRefs.has(ref);
  }

  #isOfThisIncarnation({ discarded, incarnation }: LoadedCredential): boolean {
    return !discarded && incarnation !== null && incarnation === this.#fence.incarnation;
  }

  #add(loaded: LoadedCredential): void {
    if (!this.#isOfThisIncarnation(loaded)) return;
    if (loaded.credential) this.#addCredential(loaded.credential);
    else this.#unknownRefs.set(loaded.ref, true);
  }

  #addCredential(credential: Credential): void {
    const { keyId, ref } = credential;
    if (!this.#cached.has(ref)) {
      this.#refsOfKey.set(keyId, [...(this.#refsOfKey.get(keyId) ?? []), ref]);
    }
    this.#cached.set(ref, credential);
  }

  #evict({ kind, id }: Invalidation): void {
    if (kind === 'everything') this.#clear();
    else if (kind === 'workspace') this.#evictWorkspace(id);
    else if (kind === 'key')
      for (const ref of this.#refsOfKey.get(id) ?? []) this.#cached.delete(ref);
    else this.#evictSecret(id);
  }

  #clear(): void {
    this.#cached.clear();
    this.#unknownRefs.clear();
  }

  #evictSecret(ref: string): void {
    this.#cached.delete(ref);
    this.#unknownRefs.delete(ref);
  }

  /** A suspension or a bulk change: rare and wide, so it may look at every entry. */
  #evictWorkspace(id: string): void {
    for (const [ref, credential] of this.#cached.entries()) {
      if (credential.workspaceId === id) this.#cached.delete(ref);
    }
    this.#unknownRefs.clear();
  }

  #unindex(keyId: string, ref: string): void {
    const others = this.#refsOfKey.get(keyId)?.filter((other) => other !== ref) ?? [];
    if (others.length > 0) this.#refsOfKey.set(keyId, others);
    else this.#refsOfKey.delete(keyId);
  }
}
