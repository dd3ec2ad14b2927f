import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { type Actor, type Caller, DEFAULT_WORKSPACE, type Permission } from '../domain/caller.ts';
import type { KeyDetector } from './key-detector.ts';
import { invalid, Problem } from './problem.ts';

/** As the draft has it, a quoted string; unquoted ones are taken too. */
const IDEMPOTENCY_KEY = /^"?([\x21\x23-\x7e]{1,128})"?$/;
const ACTOR = /^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/;

/** Who presents a management key. Rejects with a 401 where nobody valid does. */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

/** An `Idempotency-Key` and what it stands for. */
export interface Idempotency {
  key: string;
  /** SHA-256 of the call and its payload. */
  fingerprint: string;
  /** The status of the call's success. */
  status: number;
}

/** What a use case must know about the call that asked for it. */
export interface CallContext {
  caller: Caller;
  actor: Actor;
  requestId: string;
  /** Null where the call did not come over the network. */
  ip: string | null;
  /** The entity tags of `If-Match`, one of which the thing must still have; null: any will do. */
  ifMatch: readonly string[] | null;
  idempotency: Idempotency | null;
}

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
    const ifMatch = entityTags(request.headers['if-match']);
    return { caller, actor, requestId: request.id, ip: request.ip, ifMatch, idempotency: null };
  }

  /** The call's Idempotency-Key with what it stands for, now that the body has been read. */
  idempotencyOf(request: FastifyRequest): Idempotency | null {
    const header = request.headers['idempotency-key'];
    if (request.method !== 'POST' || header === undefined) return null;
    const key = typeof header === 'string' ? IDEMPOTENCY_KEY.exec(header)?.[1] : undefined;
    if (key === undefined || this.#detector.isContainedIn(key)) {
      throw invalid('/headers/idempotency-key', 'must be 1 to 128 visible ASCII characters');
    }
    return { key, fingerprint: fingerprint(request), status: successStatus(request) };
  }

  /** Stored with every change, so it is bounded and may not hold a key. */
  #onBehalfOf(request: FastifyRequest): string | null {
    const header = request.headers['keyward-actor'];
    if (header === undefined) return null;
    if (typeof header !== 'string' || !ACTOR.test(header)) {
      throw invalid('/headers/keyward-actor', 'must be 1 to 128 visible ASCII characters');
    }
    if (this.#detector.isContainedIn(header)) throw new Problem('CONTAINS_KEY');
    return header;
  }
}

/** Refuses a change of something that is no longer what the caller saw. */
export function requireMatch({ ifMatch }: CallContext, etag: string): void {
  if (ifMatch === null || ifMatch.includes('*') || ifMatch.includes(etag)) return;
  throw new Problem('PRECONDITION_FAILED');
}

/** RFC 9110: a list of tags, or `*`. A weak tag never matches strongly, so it is kept as it is. */
function entityTags(header: string | undefined): string[] | null {
  return header === undefined ? null : header.split(',').map((tag) => tag.trim());
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

export function requirePermission(caller: Caller, permission: Permission): void {
  if (caller.permissions.has(permission)) return;
  throw new Problem('FORBIDDEN', `This call needs the permission ${permission}.`);
}

/** The workspace that a call works in; another one than the caller's own does not exist for it. */
export function authorizedWorkspaceId({ caller }: CallContext, wanted: string | undefined): string {
  return workspaceScope(caller, wanted) ?? DEFAULT_WORKSPACE;
}

/** As above for verification, where no wish means every workspace (null). */
export function workspaceScope(caller: Caller, wanted: string | undefined): string | null {
  if (caller.workspaceId === null) return wanted ?? null;
  if (wanted === undefined || wanted === caller.workspaceId) return caller.workspaceId;
  throw new Problem('NOT_FOUND', 'No such workspace, or not one of this management key.');
}
