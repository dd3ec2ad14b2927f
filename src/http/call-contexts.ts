import type { FastifyRequest } from 'fastify';
import {
  type Authenticate,
  type CallContext,
  type Present,
  requireAllowed,
} from '../call-context.ts';
import type { Permission } from '../domain/caller.ts';
import { invalidField, KeywardError } from '../errors.ts';
import { parseEntityTags } from './etag.ts';
import type { KeyDetector } from './key-detector.ts';

const ACTOR = /^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/;

export interface CallContextDependencies {
  authenticate: Authenticate;
  present: Present;
  keyDetector: KeyDetector;
}

/**
 * The context of a call whose caller is known and has the permission. Made before the body is
 * read, so its Idempotency-Key is added later.
 */
export async function createCallContext(
  request: FastifyRequest,
  permission: Permission,
  { authenticate, keyDetector }: CallContextDependencies,
): Promise<CallContext> {
  const { id: requestId, ip, headers } = request;
  const caller = await authenticate(headers.authorization);
  requireAllowed(caller, permission);
  const onBehalfOf = readActor(headers['keyward-actor'], keyDetector);
  const actor = { type: caller.type, id: caller.id, onBehalfOf };
  const ifMatch = parseEntityTags(headers['if-match']);
  const mustBeNew = headers['if-none-match']?.trim() === '*';
  return { caller, actor, requestId, ip, ifMatch, mustBeNew, idempotency: null };
}

/**
 * Refuses a caller who has ended or lost the permission since the call began: a body takes as long to
 * arrive as its sender likes. Not counted a second time.
 */
export async function requireCallerStill(
  { headers }: FastifyRequest,
  permission: Permission,
  { present }: CallContextDependencies,
): Promise<void> {
  const { caller } = await present(headers.authorization).identify();
  requireAllowed(caller, permission);
}

/** `Keyward-Actor` is stored with every change, so it is bounded and must not contain a key. */
export function readActor(
  header: string | string[] | undefined,
  keyDetector: KeyDetector,
): string | null {
  if (header === undefined) return null;
  if (typeof header !== 'string' || !ACTOR.test(header)) {
    throw invalidField(
      '/headers/keyward-actor',
      'must be 1 to 128 ASCII characters, with spaces only between them',
    );
  }
  if (keyDetector.isContainedIn(header)) throw new KeywardError('CONTAINS_KEY');
  return header;
}
