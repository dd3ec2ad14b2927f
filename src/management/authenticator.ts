import { createHash, timingSafeEqual } from 'node:crypto';
import { type Caller, ROOT_CALLER } from '../domain/caller.ts';
import { Problem } from '../http/problem.ts';

const BEARER = /^Bearer +([^ ]+)$/i;

/** Knows callers by the management key that they present. Of the root key only a digest is held. */
export class Authenticator {
  readonly #rootDigest: Buffer | null;

  constructor(rootKey: string | undefined) {
    this.#rootDigest = rootKey === undefined ? null : digest(rootKey);
  }

  /** The caller behind an `Authorization` header, or a 401. */
  authenticate(authorization: string | undefined): Promise<Caller> {
    const presented = BEARER.exec(authorization ?? '')?.[1];
    if (presented !== undefined && this.#isRoot(presented)) return Promise.resolve(ROOT_CALLER);
    return Promise.reject(unauthenticated());
  }

  #isRoot(presented: string): boolean {
    return this.#rootDigest !== null && timingSafeEqual(digest(presented), this.#rootDigest);
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

function unauthenticated(): Problem {
  return new Problem(
    'UNAUTHENTICATED',
    'Send a management key as `Authorization: Bearer <management key>`.',
  );
}
