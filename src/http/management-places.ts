import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { FairQueue } from '../lib/fair-queue.ts';
import type { MemoryBudget } from '../lib/memory-budget.ts';
import { OverloadError, type ShedReason } from '../lib/overload-error.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import { SharedBound } from '../lib/shared-bound.ts';
import type { App } from './app-type.ts';
import { SMALL_BODY_BYTES } from './body-limits.ts';
import { MAX_PAGE_BYTES } from './page.ts';
import type { UnsentAnswers } from './unsent-answers.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Takes something away or replaces it, so it is served before all others. */
    urgent?: boolean;
  }
}

/** What a row of a list takes at most while it is read, presented and serialised. */
const ROW_BYTES = 224 * 1024;
/** However many its rows are, a page ends when they are large: four times what is stored, as above. */
const PAGE_BYTES = 4 * MAX_PAGE_BYTES + ROW_BYTES;
/** Of the places, for a call that takes the processor for long, as one with a large body or a list: more of them at once would take the processor from verifications. */
const LONG_SHARE = 0.25;
/** A body, parsed, and what is made of it. */
const BODY_FACTOR = 8;

export interface ManagementQueue {
  queue: FairQueue;
  places: number;
}

export type PlacesBudget = Pick<MemoryBudget, 'heldBodyBytes' | 'managementBytes'>;

/**
 * Management calls take one of a bounded number of places once their body is complete, and give it
 * back with their answer, not when a slow client has read it. Each group of callers has its turns, so
 * that none keeps others out; a call that takes much memory takes several places.
 */
export function registerPlaces(
  app: App,
  { queue, places }: ManagementQueue,
  unsent: UnsentAnswers,
  budget: PlacesBudget,
): ResourceLimit[] {
  const bodies = new SharedBound(budget.heldBodyBytes);
  const calls = new SharedBound(budget.managementBytes);
  const run = (request: FastifyRequest, work: () => Promise<unknown>) => {
    const { urgent = false } = request.routeOptions.config;
    const { callerGroup: group } = request;
    const bytes = bodyBytes(request);
    const rows = rowsOf(request);
    const estimate = bytes * BODY_FACTOR + Math.min(rows * ROW_BYTES, PAGE_BYTES);
    if (!urgent && !bodies.hasRoom(group, bytes)) throw tooMuch('bodies');
    const read = () => {
      // Others of the group may have been answered while this one waited.
      if (rows > 0 && unsent.isFull(group)) throw tooMuch('unsent');
      return calls.during(group, estimate, work);
    };
    const release = bodies.take(group, bytes);
    const isLong = rows > 0 || bytes > SMALL_BODY_BYTES;
    const ofMemory = Math.ceil((places * estimate) / budget.managementBytes);
    const weight = Math.max(ofMemory, isLong ? Math.ceil(places * LONG_SHARE) : 1);
    const ticket = { group, urgent, weight, rests: isLong && !urgent };
    return queue.run(ticket, read).finally(release);
  };
  const watchAnswer = async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
    if (typeof payload === 'string') unsent.watch(reply, request.callerGroup, payload);
    if (payload instanceof Readable) unsent.watchStream(reply, request.callerGroup);
    return payload;
  };
  app.addHook('onRoute', (route) => {
    if (!route.config?.permission && route.config?.place !== 'management') return;
    route.handler = withPlace(route.handler, run);
    route.onSend = [...[route.onSend ?? []].flat(), watchAnswer];
  });
  return [
    queue.resourceLimit('management_waiting'),
    calls.resourceLimit('management_calls', 1),
    bodies.resourceLimit('held_bodies', 2),
    unsent.resourceLimit,
  ];
}

function tooMuch(reason: ShedReason): OverloadError {
  return new OverloadError(reason, 'this caller has too much under way');
}

type Handler = RouteOptions['handler'];
type Run = (request: FastifyRequest, work: () => Promise<unknown>) => Promise<unknown>;

function withPlace(handler: Handler, run: Run): Handler {
  return async function (request, reply) {
    return run(request, async () => handler.call(this, request, reply));
  };
}

function bodyBytes({ headers, body, routeOptions }: FastifyRequest): number {
  if (!body) return 0;
  const length = Number(headers['content-length']);
  return Number.isFinite(length) ? length : (routeOptions.bodyLimit ?? 0);
}

function rowsOf({ query }: FastifyRequest): number {
  const { limit } = Object(query);
  return typeof limit === 'number' ? limit : 0;
}
