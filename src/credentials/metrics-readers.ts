import { hash } from 'node:crypto';
import { bearerToken } from '../domain/bearer-token.ts';
import type { RootKey } from '../domain/root-key.ts';

/**
 * Whether an `Authorization` header may read the metrics: it has their token or the root key. Asks no
 * database, so that they can be read while it is away.
 *
 * @param tokenDigest SHA-256 of the token; undefined: there is none. Comparing digests tells nothing
 * of the token, of which no part can be guessed by them.
 */
export function metricsReaders(tokenDigest: string | undefined, rootKey: RootKey | null) {
  return (authorization: string | undefined): boolean => {
    const presented = bearerToken(authorization);
    if (presented === null) return false;
    return (
      hash('sha256', presented, 'base64url') === tokenDigest ||
      rootKey?.isPresented(presented) === true
    );
  };
}
