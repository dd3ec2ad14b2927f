import type { CallContext } from '../call-context.ts';
import { KeywardError } from '../errors.ts';

/** What a call answers, with the entity tag of the state that it shows. */
export interface Versioned<T> {
  body: T;
  etag: string;
  /** Whether this is the stored answer of an earlier call with the same `Idempotency-Key`. */
  replayed?: boolean;
}

/** The entity tag of a row: how many times it has changed. */
export function etagOf({ revision }: { revision: number }): string {
  return `"${revision}"`;
}

/**
 * The entity tags of an `If-Match` header (RFC 9110), or null without one. A weak tag stays as it
 * is, so that it never matches: `If-Match` compares strongly.
 */
export function parseEntityTags(header: string | undefined): string[] | null {
  return header === undefined ? null : header.split(',').map((tag) => tag.trim());
}

/** Refuses to change what has changed since the caller read it. */
export function requireMatch({ ifMatch }: Pick<CallContext, 'ifMatch'>, etag: string): void {
  if (ifMatch === null || ifMatch.includes('*') || ifMatch.includes(etag)) return;
  throw new KeywardError('PRECONDITION_FAILED');
}
