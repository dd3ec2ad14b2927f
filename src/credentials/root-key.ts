import { importedDigests } from '../domain/imported-key.ts';

/** The root key, of which only keyed digests are held. It authenticates, and is never a key itself. */
export class RootKey {
  readonly #digestOf: (text: string) => string;
  readonly #digest: string | null;
  readonly #importedDigests: ReadonlySet<string>;

  /** @param digestOf as the process digests presented strings */
  constructor(rootKey: string | undefined, digestOf: (text: string) => string) {
    this.#digestOf = digestOf;
    this.#digest = rootKey === undefined ? null : digestOf(rootKey);
    this.#importedDigests = new Set(
      rootKey === undefined ? [] : importedDigests(rootKey).map(digestOf),
    );
  }

  /** Whether this is the digest of the root key. */
  hasDigest(digest: string): boolean {
    return digest === this.#digest;
  }

  isPresented(presented: string): boolean {
    return this.hasDigest(this.#digestOf(presented));
  }

  /** Whether this is the digest by which the root key would be imported. */
  hasImportedDigest(digest: string): boolean {
    return this.#importedDigests.has(this.#digestOf(digest));
  }
}
