import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { REQUEST_BYTES } from '../lib/memory-budget.ts';
import { OverloadError } from '../lib/overload-error.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { SharedBound } from '../lib/shared-bound.ts';
import type { App } from './app-type.ts';
import { whenClosed } from './when-closed.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * `none`: admitted even when the instance is overloaded. `own`: takes its place among the requests
     * at work by itself. `management`: takes one of the management calls too, as those with a permission.
     */
    place?: 'none' | 'own' | 'management';
  }
}

/** Requests at once for what anyone may read, which has places of its own. */
const MAX_OPEN_REQUESTS = 100;
/** Of the places, for one group of callers. */
const GROUP_SHARE = 0.75;
/** Of the bytes of bodies. */
const BODY_SHARE = 0.25;

/**
 * Bounds the requests at work. One more is refused at once, with Retry-After, instead of joining a
 * queue that would make every answer late. A place is taken by callers alone, when their request is
 * complete: a sender that is slow, or refused at its headers, keeps nobody out. A quarter of
 * the places is always left to other groups.
 */
export class Admission {
  /** Bytes of bodies under way. */
  readonly bodies: SharedBound;
  readonly #atWork: SharedBound;
  readonly #open = new SharedBound(MAX_OPEN_REQUESTS, 1);

  /** @param bodyBytes what the bodies under way may take together */
  constructor(maxInFlight: number, bodyBytes: number) {
    this.bodies = new SharedBound(bodyBytes, BODY_SHARE);
    this.#atWork = new SharedBound(maxInFlight, GROUP_SHARE);
  }

  get resourceLimits(): ResourceLimit[] {
    return [
      this.#atWork.resourceLimit('requests', REQUEST_BYTES),
      this.#open.resourceLimit('open_requests', REQUEST_BYTES),
      this.bodies.resourceLimit('body_bytes', 1),
    ];
  }

  /** Throws OVERLOADED if there is no place; it is free again when the response is closed. */
  takePlace(group: string, response: ServerResponse): void {
    occupy(this.#atWork, group, response);
  }

  /** Takes a place and returns what frees it. Throws OVERLOADED if there is none. */
  enter(group: string): () => void {
    if (this.#atWork.isFull(group)) throw full();
    return this.#atWork.take(group, 1);
  }

  takeOpenPlace(response: ServerResponse): void {
    occupy(this.#open, '', response);
  }
}

function occupy(places: SharedBound, group: string, response: ServerResponse): void {
  if (places.isFull(group)) throw full();
  whenClosed(response, places.take(group, 1));
}

function full(): OverloadError {
  return new OverloadError('requests', 'too many requests are under way');
}

type Done = (error?: Error) => void;

/** Each route takes its place by what it is; one that is always admitted, or takes its own, none. */
export function registerAdmission(app: App, admission: Admission): void {
  const takePlace = ({ callerGroup }: FastifyRequest, reply: FastifyReply, done: Done) => {
    admission.takePlace(callerGroup, reply.raw);
    done();
  };
  const takeOpenPlace = (_request: FastifyRequest, reply: FastifyReply, done: Done) => {
    admission.takeOpenPlace(reply.raw);
    done();
  };
  app.addHook('onRoute', (route: RouteOptions) => {
    const { place } = route.config ?? {};
    if (place === 'none' || place === 'own') return;
    if (route.url.startsWith('/v1/')) {
      route.preValidation = [takePlace, ...[route.preValidation ?? []].flat()];
    } else route.onRequest = [takeOpenPlace, ...[route.onRequest ?? []].flat()];
  });
}
