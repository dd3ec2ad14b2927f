import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { KeywardError } from '../errors.ts';
import { REQUEST_BYTES } from '../lib/memory-budget.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import type { App } from './app-type.ts';
import { BodyBudget } from './body-budget.ts';

/** Requests at once for what anyone may read, which has places of its own. */
const MAX_OPEN_REQUESTS = 100;

/**
 * Bounds the requests at work. One more is refused at once, with Retry-After, instead of joining a
 * queue that would make every answer late. A place is taken by callers alone, when their request is
 * complete: a sender that is slow, or refused at its headers, keeps nobody out.
 */
export class Admission {
  readonly bodies: BodyBudget;
  readonly #atWork: Places;
  readonly #open = new Places('open_requests', MAX_OPEN_REQUESTS);

  /** @param bodyBytes what the bodies under way may take together */
  constructor(maxInFlight: number, bodyBytes: number) {
    this.bodies = new BodyBudget(bodyBytes);
    this.#atWork = new Places('requests', maxInFlight);
  }

  get resourceLimits(): ResourceLimit[] {
    return [this.#atWork, this.#open, ...this.bodies.resourceLimits];
  }

  /** Throws OVERLOADED if there is no place; it is free again when the response is closed. */
  takePlace(response: ServerResponse): void {
    this.#atWork.take(response);
  }

  takeOpenPlace(response: ServerResponse): void {
    this.#open.take(response);
  }
}

class Places implements ResourceLimit {
  readonly name: string;
  readonly max: number;
  readonly bytesEach = REQUEST_BYTES;
  #taken = 0;

  constructor(name: string, max: number) {
    this.name = name;
    this.max = max;
  }

  used = () => this.#taken;

  take(response: ServerResponse): void {
    if (this.#taken >= this.max) throw new KeywardError('OVERLOADED');
    this.#taken++;
    // `close` is emitted exactly once, also if the client has hung up.
    response.once('close', () => {
      this.#taken--;
    });
  }
}

type Done = (error?: Error) => void;

/** Each route takes its place by what it is; one that is always admitted, or takes its own, none. */
export function registerAdmission(app: App, admission: Admission): void {
  const takePlace = (_request: FastifyRequest, reply: FastifyReply, done: Done) => {
    admission.takePlace(reply.raw);
    done();
  };
  const takeOpenPlace = (_request: FastifyRequest, reply: FastifyReply, done: Done) => {
    admission.takeOpenPlace(reply.raw);
    done();
  };
  app.addHook('onRoute', (route: RouteOptions) => {
    const { alwaysAdmitted, takesOwnPlace } = route.config ?? {};
    if (alwaysAdmitted || takesOwnPlace) return;
    if (route.url.startsWith('/v1/')) {
      route.preValidation = [takePlace, ...[route.preValidation ?? []].flat()];
    } else route.onRequest = [takeOpenPlace, ...[route.onRequest ?? []].flat()];
  });
}
