import type { Asker } from '../domain/caller.ts';
import { lookupRef } from '../domain/imported-key.ts';
import {
  type ChecksumKey,
  hasValidChecksum,
  MANAGEMENT_PREFIX,
  parseKey,
  refOf,
} from '../domain/key-string.ts';
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

function isManagementKey(presented: string): boolean {
  return presented.startsWith(`${MANAGEMENT_PREFIX}_`);
}

export interface CredentialResolverDependencies {
  cache: CredentialCache;
  imported: ImportedAlgorithms;
  lookups: LookupBudget;
  secrets: SecretVerifier;
  rootKey: RootKey | null;
  checksumKey: ChecksumKey;
}

/** Holders of keys ask about their own, and need not say who they are. */
const HOLDER: Promise<Asker> = Promise.resolve({ workspaceId: null, group: ' holders' });

/**
 * Resolves a presented string to the credential that it is proven to be, or to null: malformed,
 * unknown, of another kind or workspace, and wrong look alike. Whether the credential is still in
 * force is for the caller to judge.
 */
export class CredentialResolver {
  readonly #deps: CredentialResolverDependencies;

  constructor(deps: CredentialResolverDependencies) {
    this.#deps = deps;
  }

  /**
   * A customer key. The asker is awaited beside a native credential, so that one fence serves the
   * caller and the key; a key of another workspace is not proven, so it costs no argon2.
   */
  async resolveKey(
    presented: string,
    asking: Promise<Asker>,
    queue?: VerifyQueue,
  ): Promise<KeyCredential | null> {
    const digest = processDigest(presented);
    const [{ workspaceId }, credential] = await Promise.all([
      asking,
      this.#find(presented, digest, asking),
    ]);
    if (credential?.kind !== 'key') return null;
    if (workspaceId !== null && credential.workspaceId !== workspaceId) return null;
    return (await this.#matches(credential, presented, digest, queue)) ? credential : null;
  }

  /** What memory knows of a management key, without asking the database whether it still holds. */
  recallManagementKey(presented: string, digest: string): ManagementCredential | null {
    if (!isManagementKey(presented)) return null;
    const credential = this.#deps.cache.recall(refOf(presented), digest);
    return credential?.kind === 'management' ? credential : null;
  }

  /** A management key. Customer keys have another prefix, and so have imported ones. */
  async resolveManagementKey(
    presented: string,
    digest: string,
  ): Promise<ManagementCredential | null> {
    if (!isManagementKey(presented)) return null;
    const ref = this.#nativeRef(presented, digest);
    const credential = ref === null ? null : await this.#deps.cache.get(ref);
    if (credential?.kind !== 'management') return null;
    return (await this.#matches(credential, presented, digest, 'management')) ? credential : null;
  }

  /** A key of either kind, for the one who presents it: what that costs never delays a verification. */
  async resolveAny(presented: string): Promise<Credential | null> {
    const digest = processDigest(presented);
    const credential = await this.#find(presented, digest, HOLDER);
    if (!credential) return null;
    return (await this.#matches(credential, presented, digest, 'low')) ? credential : null;
  }

  /**
   * Format and checksum stop guesses and typos before any key is read. The root key is no key,
   * even if someone has imported its digest.
   */
  #find(presented: string, digest: string, asking: Promise<Asker>): Promise<Credential | null> {
    if (!canBeKey(presented) || this.#deps.rootKey?.hasDigest(digest)) return Promise.resolve(null);
    const ref = this.#nativeRef(presented, digest);
    return ref === null ? this.#findImported(presented, asking) : this.#deps.cache.get(ref);
  }

  /** The ref of a native key. A string that has matched before has passed format and checksum. */
  #nativeRef(presented: string, digest: string): string | null {
    const { cache, checksumKey } = this.#deps;
    const ref = refOf(presented);
    if (cache.hasMatched(ref, digest)) return ref;
    return parseKey(presented) && hasValidChecksum(presented, checksumKey) ? ref : null;
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

  #matches(credential: Credential, presented: string, digest: string, queue?: VerifyQueue) {
    return this.#deps.secrets.matches(credential, presented, digest, queue);
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
