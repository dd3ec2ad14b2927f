import { processDigest } from '../domain/process-digest.ts';
import { KeywardError } from '../errors.ts';
import { TokenBuckets } from '../lib/token-buckets.ts';

/** Failures a second of one string from one address: beyond it, the string is not checked. */
const OF_A_STRING = 5;
/** Failures a second of an address, whatever was tried: beyond it, they are told to wait. */
const OF_AN_ADDRESS = 50;

/**
 * Slows down those who fail to sign in, and nobody else: behind a proxy, people who do not know each
 * other share an address. What is right is never refused for what others have tried.
 */
export class SignInLimits {
  readonly #buckets: TokenBuckets;

  constructor(now: () => number) {
    this.#buckets = new TokenBuckets(now);
  }

  /** Signs in with a string, which counts against it until it proves right. */
  async attempt<Result>(
    address: string,
    tried: string,
    signIn: () => Promise<Result>,
  ): Promise<Result> {
    const ofString = { id: `${address} ${processDigest(tried)}`, perSecond: OF_A_STRING };
    if (!this.#buckets.take([ofString], 1)) throw tooMany();
    let isWrong = false;
    try {
      return await signIn();
    } catch (error) {
      isWrong = error instanceof KeywardError && error.code === 'UNAUTHENTICATED';
      if (isWrong && !this.#admitsFailure(address)) throw tooMany();
      throw error;
    } finally {
      if (!isWrong) this.#buckets.giveBack([ofString], 1);
    }
  }

  #admitsFailure(address: string): boolean {
    return this.#buckets.take([{ id: address, perSecond: OF_AN_ADDRESS }], 1);
  }
}

function tooMany(): KeywardError {
  return new KeywardError('TOO_MANY_REQUESTS', 'Too many failed sign-ins. Try again in a second.');
}
