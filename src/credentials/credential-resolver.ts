import type { Asker } from '../domain/caller.ts';
import type { HmacKey } from '../domain/hmac-key.ts';
import { lookupRef } from '../domain/imported-key.ts';
import { hasValidChecksum, MANAGEMENT_PREFIX, parseKey, refOf } from '../domain/key-string.ts';
import { processDigest } from '../domain/process-digest.ts';
import type { RootKey } from '../domain/root-key.ts';
import type { VerifyQueue } from './argon2-hasher.ts';
import type { Credential, KeyCredential, ManagementCredential } from './credential.ts';
import type { CredentialCache } from './credential-cache.ts';
import type { ImportedAlgorithms } from './imported-algorithms.ts';
import type { LookupBudget } from './lookup-budget.ts';
import type { SecretVerifier } from './secret-verifier.ts';

/** The longest string that is looked up; imported keys have no format of their own. */
const MAX_PRESENTED_LENGTH = 512;

function canBeKey(presented: string): boolean {
  const { length } = presented;
  return length > 0 && length <= MAX_PRESENTED_LENGTH && presented.isWellFormed();
}

function isManagementKey({ text }: Presented): boolean {
  return text.startsWith(`${MANAGEMENT_PREFIX}_`);
}

/** A customer key of this workspace; null: of any. */
function isKeyIn(
  workspaceId: string | null,
  credential: Credential | null,
): credential is KeyCredential {
  if (credential?.kind !== 'key') return false;
  return workspaceId === null || credential.workspaceId === workspaceId;
}

export interface CredentialResolverDependencies {
  cache: CredentialCache;
  imported: ImportedAlgorithms;
  lookups: LookupBudget;
  secrets: SecretVerifier;
  rootKey: RootKey | null;
  checksumKey: HmacKey;
}

/** A presented string, with what is computed of it once. */
export interface Presented {
  text: string;
  digest: string;
  /** Null if it is no native key. */
  ref: string | null;
  /** Whether it was known then to match the cached credential. */
  hasMatched: boolean;
}

/** Holders of keys ask about their own, and need not say who they are. */
const HOLDER: Promise<Asker> = Promise.resolve({ workspaceId: null, group: ' holders' });

/**
 * Resolves a presented string to the credential that it is proven to be, or to null: malformed,
 * unknown, of another kind or workspace, and wrong look alike. Whether the credential is still in
 * force is for the caller to judge. What `recall…` finds in memory is as of the last fence.
 */
export class CredentialResolver {
  readonly #deps: CredentialResolverDependencies;

  constructor(deps: CredentialResolverDependencies) {
    this.#deps = deps;
  }

  /** Format and checksum stop guesses and typos before any key is read. */
  present(text: string): Presented {
    const { cache, checksumKey } = this.#deps;
    const digest = processDigest(text);
    const ref = refOf(text);
    const hasMatched = cache.hasMatched(ref, digest);
    // A string that has matched before has passed format and checksum.
    const isNative = hasMatched || (parseKey(text) && hasValidChecksum(text, checksumKey));
    return { text, digest, ref: isNative ? ref : null, hasMatched };
  }

  /** Until memory holds nothing older than this call; false if all that is left is a stale answer. */
  whenFresh(): Promise<boolean> {
    return this.#deps.cache.whenFresh();
  }

  /** Whether a fence is all that it takes to tell what a string is. */
  mayRecall(presented: Presented): boolean {
    const { cache, imported, secrets } = this.#deps;
    const { ref, digest, hasMatched } = presented;
    if (!this.#canBeKey(presented)) return true;
    if (hasMatched) return true;
    if (ref === null) return imported.areNone;
    const credential = cache.peek(ref);
    return credential ? secrets.recall(credential, digest) !== null : cache.mayRecall(ref);
  }

  /** The same as `resolveKey` from memory alone; undefined if that cannot tell. */
  recallKey(presented: Presented, workspaceId: string | null): KeyCredential | null | undefined {
    const credential = this.#recall(presented);
    if (!credential) return credential;
    if (!isKeyIn(workspaceId, credential)) return null;
    return this.#recallMatch(credential, presented);
  }

  /**
   * A customer key. The asker is awaited beside a native credential, so that one fence serves the
   * caller and the key; a key of another workspace is not proven, so it costs no argon2.
   */
  async resolveKey(
    presented: Presented,
    asking: Promise<Asker>,
    queue?: VerifyQueue,
  ): Promise<KeyCredential | null> {
    const [{ workspaceId }, credential] = await Promise.all([
      asking,
      this.#find(presented, asking),
    ]);
    if (!isKeyIn(workspaceId, credential)) return null;
    return (await this.#matches(credential, presented, queue)) ? credential : null;
  }

  /** The same as `resolveManagementKey` from memory alone; undefined if that cannot tell. */
  recallManagementKey(presented: Presented): ManagementCredential | null | undefined {
    if (!isManagementKey(presented)) return null;
    const credential = this.#recall(presented);
    if (!credential) return credential;
    return credential.kind === 'management' ? this.#recallMatch(credential, presented) : null;
  }

  /** A management key. Customer keys have another prefix, and so have imported ones. */
  async resolveManagementKey(presented: Presented): Promise<ManagementCredential | null> {
    if (!isManagementKey(presented) || presented.ref === null) return null;
    const credential = await this.#deps.cache.get(presented.ref);
    if (credential?.kind !== 'management') return null;
    return (await this.#matches(credential, presented, 'management')) ? credential : null;
  }

  /** A key of either kind, for the one who presents it: what that costs never delays a verification. */
  async resolveAny(text: string): Promise<Credential | null> {
    const presented = this.present(text);
    const credential = await this.#find(presented, HOLDER);
    if (!credential) return null;
    return (await this.#matches(credential, presented, 'low')) ? credential : null;
  }

  #recall(presented: Presented): Credential | null | undefined {
    const { cache, imported } = this.#deps;
    if (!this.#canBeKey(presented)) return null;
    if (presented.ref !== null) return cache.recall(presented.ref);
    return imported.areNone ? null : undefined;
  }

  async #find(presented: Presented, asking: Promise<Asker>): Promise<Credential | null> {
    if (!this.#canBeKey(presented)) return null;
    const { text, ref } = presented;
    return ref === null ? this.#findImported(text, asking) : this.#deps.cache.get(ref);
  }

  /** The root key is no key, even if someone has imported its digest. */
  #canBeKey({ text, digest }: Presented): boolean {
    return canBeKey(text) && !this.#deps.rootKey?.hasDigest(digest);
  }

  async #findImported(presented: string, asking: Promise<Asker>): Promise<Credential | null> {
    const { cache, imported, lookups } = this.#deps;
    const [digests, { workspaceId, group }] = await Promise.all([
      imported.digestsOf(presented),
      asking,
    ]);
    const refs = digests.map((digest) => lookupRef(digest, workspaceId));
    if (!refs.every((ref) => cache.has(ref))) lookups.take(group);
    // At once, so that one load serves them all.
    const found = await Promise.all(refs.map((ref) => cache.get(ref)));
    const known = refs.filter((_, index) => found[index]);
    const [ref] = known;
    if (ref !== undefined)
      cache.keepAbsent(
        ref,
        refs.filter((other) => !known.includes(other)),
      );
    return firstImported(found);
  }

  #recallMatch<T extends Credential>(credential: T, { digest }: Presented): T | null | undefined {
    const matches = this.#deps.secrets.recall(credential, digest);
    if (matches === null) return undefined;
    return matches ? credential : null;
  }

  #matches(credential: Credential, { text, digest }: Presented, queue?: VerifyQueue) {
    return this.#deps.secrets.matches(credential, text, digest, queue);
  }
}

/** The digest of another algorithm takes no string over: what was imported first answers. */
function firstImported(found: readonly (Credential | null)[]): Credential | null {
  const credentials = found.filter((credential) => credential !== null);
  const [first] = credentials.toSorted(
    (a, b) => Number(a.deleted) - Number(b.deleted) || a.createdAt - b.createdAt,
  );
  return first ?? null;
}
