import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Of a link that nobody has opened. */
const VALID_MS = 15 * 60_000;

/**
 * A link that signs in once, for those who read the terminal in which the service was started. It
 * leads to a management key that is made for it.
 */
export class SignInLink {
  readonly #makeKey: () => Promise<string>;
  readonly #now: () => number;
  #digest: Buffer | null = null;
  #validUntil = 0;

  constructor(makeKey: () => Promise<string>, now: () => number) {
    this.#makeKey = makeKey;
    this.#now = now;
  }

  /** The part of the link behind `#`, which browsers send to nobody. Replaces an earlier one. */
  issue(): string {
    const token = randomBytes(32).toString('base64url');
    this.#digest = digestOf(token);
    this.#validUntil = this.#now() + VALID_MS;
    return token;
  }

  /** The management key that a link leads to, once; null if it leads nowhere, or not any more. */
  async redeem(token: string | string[] | undefined): Promise<string | null> {
    if (typeof token !== 'string' || !this.#digest || this.#now() > this.#validUntil) return null;
    if (!timingSafeEqual(digestOf(token), this.#digest)) return null;
    this.#digest = null;
    return this.#makeKey();
  }
}

function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
