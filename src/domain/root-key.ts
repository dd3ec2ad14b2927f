import { randomBytes } from 'node:crypto';
import { importedDigests } from './imported-key.ts';
import { processDigest } from './process-digest.ts';
import { RollingHash } from './rolling-hash.ts';

/**
 * What is kept of the root key, from which nobody can tell it. It authenticates, is never a key
 * itself, and must be in no text that is stored.
 */
export class RootKey {
  readonly #digest: string;
  readonly #importedDigests: ReadonlySet<string>;
  readonly #rolling: RollingHash;
  readonly #rollingHash: number;

  constructor(text: string) {
    this.#digest = processDigest(text);
    this.#importedDigests = new Set(importedDigests(text).map(processDigest));
    this.#rolling = new RollingHash(text.length, randomBytes(4).readUInt32BE());
    this.#rollingHash = this.#rolling.of(text);
  }

  /** Whether this is the digest of the root key in this process. */
  hasDigest(digest: string): boolean {
    return digest === this.#digest;
  }

  isPresented(text: string): boolean {
    return this.hasDigest(processDigest(text));
  }

  /** Whether this is the digest by which the root key would be imported. */
  hasImportedDigest(digest: string): boolean {
    return this.#importedDigests.has(processDigest(digest));
  }

  /** Every window of its length is compared: by a cheap hash, then by the digest. */
  isContainedIn(text: string): boolean {
    return this.#rolling
      .matches(text, this.#rollingHash)
      .some((at) => this.isPresented(text.slice(at, at + this.#rolling.length)));
  }
}
