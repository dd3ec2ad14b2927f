import type { FastifyRequest } from 'fastify';
import type { Actor, Caller, Permission } from '../domain/caller.ts';
import { containsKey } from '../domain/key-string.ts';
import { invalid, Problem } from './problem.ts';

const ACTOR = /^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/;

/** Who presents a management key. Rejects with a 401 where nobody valid does. */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

/** What a use case must know about the call that asked for it. */
export interface CallContext {
  caller: Caller;
  actor: Actor;
  requestId: string;
  ip: string;
}

/** Turns a request into the context of its call: who, on whose behalf, and whether they may. */
export class CallContexts {
  readonly #authenticate: Authenticate;
  readonly #checksumKey: Uint8Array;

  constructor(authenticate: Authenticate, checksumKey: Uint8Array) {
    this.#authenticate = authenticate;
    this.#checksumKey = checksumKey;
  }

  async of(request: FastifyRequest, permission: Permission): Promise<CallContext> {
    const caller = await this.#authenticate(request.headers.authorization);
    requirePermission(caller, permission);
    const actor = { type: caller.type, id: caller.id, onBehalfOf: this.#onBehalfOf(request) };
    return { caller, actor, requestId: request.id, ip: request.ip };
  }

  /** Stored with every change, so it is bounded and may not hold a key. */
  #onBehalfOf(request: FastifyRequest): string | null {
    const header = request.headers['keyward-actor'];
    if (header === undefined) return null;
    if (typeof header !== 'string' || !ACTOR.test(header)) {
      throw invalid('/headers/keyward-actor', 'must be 1 to 128 visible ASCII characters');
    }
    if (containsKey(header, this.#checksumKey)) throw new Problem('CONTAINS_KEY');
    return header;
  }
}

export function requirePermission(caller: Caller, permission: Permission): void {
  if (caller.permissions.has(permission)) return;
  throw new Problem('FORBIDDEN', `This call needs the permission ${permission}.`);
}
