import { LRUCache } from 'lru-cache';
import type { Database } from '../db/database.ts';
import { isForEveryWorkspace, lookupsOf } from '../domain/imported-key.ts';
import type { Fence } from '../freshness/fence.ts';
import type { Invalidation, InvalidationListener } from '../freshness/invalidation.ts';
import { counter, gauge, type Metric } from '../lib/metric.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { UnavailableError } from '../lib/unavailable-error.ts';
import type { Credential } from './credential.ts';
import { CredentialLoader, type LoadBounds, type LoadedCredential } from './credential-loader.ts';
import { SHARED_SCOPES_LIMIT } from './credential-row.ts';
import { bytesOf } from './credential-size.ts';
import { UnknownRefs } from './unknown-refs.ts';

const ATTEMPTS = 3;

export interface CredentialCacheOptions {
  /** What the cached credentials may take, each counted by its size. */
  bytes: number;
  loads: LoadBounds;
  /** How long memory may answer while the database is away; 0: never. */
  staleIfErrorMs: number;
}

/**
 * Credentials in memory, kept fresh by the fence. Unknown refs have a cache of their own, so that
 * they cannot push known keys out.
 */
export class CredentialCache implements InvalidationListener {
  readonly #fence: Fence;
  readonly #staleIfErrorMs: number;
  readonly #loader: CredentialLoader;
  readonly #cached: LRUCache<string, Credential>;
  readonly #unknownRefs = new UnknownRefs();
  readonly #refsOfKey = new Map<string, string[]>();
  /** Where several keys decide about an answer, all of them. */
  readonly #keysOfRef = new Map<string, readonly string[]>();
  /** Refs that a cached string could have too, and has not. */
  readonly #absentBeside = new Map<string, readonly string[]>();
  #hits = 0;
  #misses = 0;

  constructor(database: Database, fence: Fence, options: CredentialCacheOptions) {
    this.#fence = fence;
    this.#staleIfErrorMs = options.staleIfErrorMs;
    this.#loader = new CredentialLoader(database, options.loads, (loaded) => this.#add(loaded));
    this.#cached = new LRUCache({
      // One that is larger than all of it is not cached, only answered.
      maxSize: options.bytes,
      sizeCalculation: bytesOf,
      dispose: (credential, ref) => this.#unindex(credential, ref),
    });
    fence.subscribe(this);
  }

  get size(): number {
    return this.#cached.size;
  }

  get resourceLimits(): ResourceLimit[] {
    return [
      {
        name: 'credentials',
        max: this.#cached.maxSize,
        bytesEach: 1,
        used: () => this.#cached.calculatedSize,
      },
      this.#unknownRefs.resourceLimit,
      SHARED_SCOPES_LIMIT,
      ...this.#loader.resourceLimits,
    ];
  }

  /** Load statements sent since the start. */
  get loads(): number {
    return this.#loader.count;
  }

  get metrics(): Metric[] {
    return [
      gauge('keyward_cache_credentials', 'Credentials in memory.', () => this.#cached.size),
      gauge(
        'keyward_cache_bytes',
        'What the credentials in memory take.',
        () => this.#cached.calculatedSize,
      ),
      counter(
        'keyward_cache_hits_total',
        'Presented refs, of keys and of callers, that memory told what they are.',
        () => this.#hits,
      ),
      counter(
        'keyward_cache_misses_total',
        'Presented refs, of keys and of callers, that had to be loaded.',
        () => this.#misses,
      ),
      counter(
        'keyward_credential_loads_total',
        'Statements sent that load credentials into the cache.',
        () => this.loads,
      ),
    ];
  }

  /** Whether an answer for this ref is cached. */
  has(ref: string): boolean {
    return this.#cached.has(ref) || this.#unknownRefs.has(ref);
  }

  /** Remembers as long as the credential is cached that other refs of its string are unknown. */
  keepAbsent(ref: string, others: readonly string[]): void {
    if (!this.#cached.has(ref)) return;
    const kept = others.filter((other) => this.#unknownRefs.keep(other));
    if (kept.length > 0) this.#absentBeside.set(ref, kept);
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
    return this.#cached.peek(ref)?.matchedDigest === digest;
  }

  /** What has this ref as of the last fence, for a look ahead that does not count as a use. */
  peek(ref: string): Credential | undefined {
    return this.#cached.peek(ref);
  }

  /** Whether a fence is all that it takes to tell what has this ref. */
  mayRecall(ref: string): boolean {
    return this.#cached.has(ref) || this.#unknownRefs.recall(ref);
  }

  /** What has this ref as of the last fence: null if nothing has, undefined if memory cannot tell. */
  recall(ref: string): Credential | null | undefined {
    const known = this.#known(ref);
    if (known !== undefined) this.#hits++;
    return known;
  }

  #known(ref: string): Credential | null | undefined {
    return this.#cached.get(ref) ?? (this.#unknownRefs.has(ref) ? null : undefined);
  }

  /** Until memory holds nothing older than this call; false if all that is left is a stale answer. */
  whenFresh(): Promise<boolean> {
    const fresh = this.#fence.waitUntilFresh();
    return this.#staleIfErrorMs === 0 ? fresh : fresh.catch(() => false);
  }

  /** What was cached when the database last answered, if the operator allows that. */
  #getStale(ref: string): Credential | null {
    const cached = this.#cached.get(ref);
    if (!cached || this.#fence.ageMs >= this.#staleIfErrorMs) return null;
    return { ...cached, stale: true };
  }

  async #getFresh(ref: string): Promise<Credential | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Loads fail too, and many callers at once must not ask a database that is away.
      if (this.#fence.isDown) break;
      const fresh = this.#fence.waitUntilFresh();
      let loaded: LoadedCredential | null = null;
      const isKnown = this.mayRecall(ref);
      if (isKnown) await fresh;
      else [loaded] = await Promise.all([this.#loader.load(ref), fresh]);
      if (attempt === 0) this.#count(isKnown);
      const known = this.#known(ref);
      if (known !== undefined) return known;
      if (loaded && this.#isOfThisIncarnation(loaded)) return loaded.credential;
    }
    throw new UnavailableError('the database is away, or changed too often while it was read');
  }

  #count(isKnown: boolean): void {
    if (isKnown) this.#hits++;
    else this.#misses++;
  }

  invalidate(invalidations: readonly Invalidation[]): void {
    this.#loader.invalidate(invalidations);
    for (const invalidation of invalidations) this.#evict(invalidation);
  }

  reset(): void {
    this.#loader.discard();
    this.#clear();
  }

  #isOfThisIncarnation({ load, incarnation }: LoadedCredential): boolean {
    return !load.discarded && incarnation !== null && incarnation === this.#fence.incarnation;
  }

  #add(loaded: LoadedCredential): void {
    if (!this.#isOfThisIncarnation(loaded)) return;
    const { ref, credential, keyIds } = loaded;
    // Another key may have answered until now: what it left is cleared away too.
    this.#cached.delete(ref);
    if (!credential) this.#unknownRefs.add(ref);
    else this.#addCredential(ref, credential, keyIds);
  }

  #addCredential(ref: string, credential: Credential, keyIds: readonly string[]): void {
    this.#unknownRefs.delete(ref);
    this.#cached.set(ref, credential);
    if (!this.#cached.has(ref)) return;
    for (const id of keyIds) this.#refsOfKey.set(id, [...(this.#refsOfKey.get(id) ?? []), ref]);
    if (keyIds.length > 1) this.#keysOfRef.set(ref, keyIds);
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

  #evictSecret(id: string): void {
    for (const ref of lookupsOf(id)) {
      this.#cached.delete(ref);
      this.#unknownRefs.delete(ref);
    }
  }

  /** A suspension or a bulk change: rare and wide, so it may look at every entry. */
  #evictWorkspace(id: string): void {
    for (const [ref, credential] of this.#cached.entries()) {
      if (credential.workspaceId === id || isForEveryWorkspace(ref)) this.#cached.delete(ref);
    }
    this.#unknownRefs.clear();
  }

  /** Whatever was kept for a credential that is no longer cached. */
  #unindex({ keyId }: Credential, ref: string): void {
    for (const id of this.#keysOfRef.get(ref) ?? [keyId]) {
      const others = this.#refsOfKey.get(id)?.filter((other) => other !== ref) ?? [];
      if (others.length > 0) this.#refsOfKey.set(id, others);
      else this.#refsOfKey.delete(id);
    }
    this.#keysOfRef.delete(ref);
    for (const absent of this.#absentBeside.get(ref) ?? []) this.#unknownRefs.delete(absent);
    this.#absentBeside.delete(ref);
  }
}
