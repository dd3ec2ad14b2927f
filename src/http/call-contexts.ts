import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import {
  type Authenticate,
  type CallContext,
  type Idempotency,
  requirePermission,
} from '../call-context.ts';
import type { Permission } from '../domain/caller.ts';
import { invalidField, KeywardError } from '../errors.ts';
import { parseEntityTags } from './etag.ts';
import type { KeyDetector } from './key-detector.ts';

/** As the draft has it, a quoted string; unquoted ones are taken too. */
const IDEMPOTENCY_KEY = /^"?([\x21\x23-\x7e]{1,128})"?$/;
const ACTOR = /^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/;

/** Turns a request into the context of its call: who, on whose behalf, and whether they may. */
export class CallContexts {
  readonly #authenticate: Authenticate;
  readonly #detector: KeyDetector;

  constructor(authenticate: Authenticate, detector: KeyDetector) {
    this.#authenticate = authenticate;
    this.#detector = detector;
  }

  async of(request: FastifyRequest, permission: Permission): Promise<CallContext> {
    const caller = await this.#authenticate(request.headers.authorization);
    requirePermission(caller, permission);
    const actor = { type: caller.type, id: caller.id, onBehalfOf: this.#onBehalfOf(request) };
    const ifMatch = parseEntityTags(request.headers['if-match']);
    return { caller, actor, requestId: request.id, ip: request.ip, ifMatch, idempotency: null };
  }

  /** The call's Idempotency-Key with what it stands for, now that the body has been read. */
  idempotencyOf(request: FastifyRequest): Idempotency | null {
    const header = request.headers['idempotency-key'];
    if (request.method !== 'POST' || header === undefined) return null;
    const key = typeof header === 'string' ? IDEMPOTENCY_KEY.exec(header)?.[1] : undefined;
    if (key === undefined || this.#detector.isContainedIn(key)) {
      throw invalidField('/headers/idempotency-key', 'must be 1 to 128 visible ASCII characters');
    }
    return { key, fingerprint: fingerprint(request), status: successStatus(request) };
  }

  /** Stored with every change, so it is bounded and may not hold a key. */
  #onBehalfOf(request: FastifyRequest): string | null {
    const header = request.headers['keyward-actor'];
    if (header === undefined) return null;
    if (typeof header !== 'string' || !ACTOR.test(header)) {
      throw invalidField('/headers/keyward-actor', 'must be 1 to 128 visible ASCII characters');
    }
    if (this.#detector.isContainedIn(header)) throw new KeywardError('CONTAINS_KEY');
    return header;
  }
}

function fingerprint({ method, url, body }: FastifyRequest): string {
  const text = JSON.stringify([method, url, body ?? null]);
  return createHash('sha256').update(text).digest('hex');
}

/** The status with which the call's schema says that it succeeds. */
function successStatus({ routeOptions }: FastifyRequest): number {
  const statuses = Object.keys(routeOptions.schema?.response ?? {}).map(Number);
  return statuses.find((status) => status >= 200 && status < 300) ?? 200;
}
