import {
  type ChecksumKey,
  hasValidChecksum,
  MANAGEMENT_PREFIX,
  parseKey,
  refOf,
} from '../domain/key-string.ts';
import type { VerifyQueue } from './argon2-hasher.ts';
import type { Credential, KeyCredential, ManagementCredential } from './credential.ts';
import type { CredentialCache } from './credential-cache.ts';
import type { ImportedAlgorithms } from './imported-algorithms.ts';
import type { RootKey } from './root-key.ts';
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
  secrets: SecretVerifier;
  rootKey: RootKey;
  checksumKey: ChecksumKey;
}

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
   * A customer key. The workspace (null: any) is awaited beside the credential, so that one fence
   * serves the caller and the key; a key of another workspace is not proven, so it costs no argon2.
   */
  async resolveKey(
    presented: string,
    workspace: Promise<string | null>,
    queue?: VerifyQueue,
  ): Promise<KeyCredential | null> {
    const digest = this.#deps.secrets.digestOf(presented);
    const [workspaceId, credential] = await Promise.all([workspace, this.#find(presented, digest)]);
    if (credential?.kind !== 'key') return null;
    if (workspaceId !== null && credential.workspaceId !== workspaceId) return null;
    return (await this.#matches(credential, presented, digest, queue)) ? credential : null;
  }

  digestOf(presented: string): string {
    return this.#deps.secrets.digestOf(presented);
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
    return (await this.#matches(credential, presented, digest)) ? credential : null;
  }

  /** A key of either kind, for the one who presents it: what that costs never delays a verification. */
  async resolveAny(presented: string): Promise<Credential | null> {
    const digest = this.#deps.secrets.digestOf(presented);
    const credential = await this.#find(presented, digest);
    if (!credential) return null;
    return (await this.#matches(credential, presented, digest, 'low')) ? credential : null;
  }

  /**
   * Format and checksum stop guesses and typos before any key is read. The root key is no key,
   * even if someone has imported its digest.
   */
  #find(presented: string, digest: string): Promise<Credential | null> {
    if (!canBeKey(presented) || this.#deps.rootKey.hasDigest(digest)) return Promise.resolve(null);
    const ref = this.#nativeRef(presented, digest);
    return ref === null ? this.#findImported(presented) : this.#deps.cache.get(ref);
  }

  /** The ref of a native key. A string that has matched before has passed format and checksum. */
  #nativeRef(presented: string, digest: string): string | null {
    const { cache, checksumKey } = this.#deps;
    const ref = refOf(presented);
    if (cache.hasMatched(ref, digest)) return ref;
    return parseKey(presented) && hasValidChecksum(presented, checksumKey) ? ref : null;
  }

  async #findImported(presented: string): Promise<Credential | null> {
    const { cache, imported } = this.#deps;
    for (const ref of await imported.refsOf(presented)) {
      const credential = await cache.get(ref);
      if (credential) return credential;
    }
    return null;
  }

  #matches(credential: Credential, presented: string, digest: string, queue?: VerifyQueue) {
    return this.#deps.secrets.matches(credential, presented, digest, queue);
  }
}
