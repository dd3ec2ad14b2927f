/** More candidates than chance gives in any text. */
const MAX_MATCHES = 16;

/**
 * Rabin and Karp's hash of all windows of one length in a text, in one step for each character. The
 * base is random, so nobody can write texts whose windows collide with one that they do not know.
 */
export class RollingHash {
  readonly length: number;
  readonly #base: number;
  /** Of the character that leaves the window. */
  readonly #leavingFactor: number;

  constructor(length: number, base: number) {
    this.length = length;
    this.#base = base | 1;
    let factor = 1;
    for (let i = 0; i < length; i++) factor = Math.imul(factor, this.#base);
    this.#leavingFactor = factor;
  }

  /** The hash of a text of the window's length. */
  of(text: string): number {
    let hash = 0;
    for (let i = 0; i < text.length; i++) hash = this.#append(hash, text.charCodeAt(i));
    return hash;
  }

  /** Where the first windows begin that have a hash. */
  matches(text: string, wanted: number): number[] {
    const found: number[] = [];
    let hash = 0;
    for (let end = 0; end < text.length && found.length < MAX_MATCHES; end++) {
      hash = this.#append(hash, text.charCodeAt(end));
      const start = end + 1 - this.length;
      if (start > 0) {
        hash = (hash - Math.imul(text.charCodeAt(start - 1), this.#leavingFactor)) | 0;
      }
      if (start >= 0 && hash === wanted) found.push(start);
    }
    return found;
  }

  #append(hash: number, code: number): number {
    return (Math.imul(hash, this.#base) + code) | 0;
  }
}
