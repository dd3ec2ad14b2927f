import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { bodyTooLarge, invalidField, KeywardError } from '../../errors.ts';
import { FairQueue, type Ticket } from '../../lib/fair-queue.ts';
import { OverloadError } from '../../lib/overload-error.ts';
import type { SharedBound } from '../../lib/shared-bound.ts';
import { parseStrictJson } from '../../lib/strict-json.ts';
import { toError } from '../../lib/to-error.ts';
import { mapInTurns } from '../../lib/turns.ts';
import type { App } from '../app-type.ts';
import { type BodySize, readBody } from '../body-reader.ts';
import { whenClosed } from '../when-closed.ts';
import { FaultyItem } from './list-items.ts';
import { cutLists, MAX_ITEM_LENGTH } from './list-text.ts';

/** What a body counts at least: its request takes memory too. */
const MIN_BODY_BYTES = 16_384;

declare module 'fastify' {
  interface FastifyRequest {
    /** Until it is closed, a body that may be long counts as under way. */
    bodyHolder: ServerResponse | null;
  }
}

/** One long body is parsed at a time. A caller's next one waits for as long as its last one took. */
const LONG_BODIES = { places: 1, maxWaitingEach: 64, maxWaiting: 512, reason: 'bodies' } as const;

const DECODER = new TextDecoder('utf-8', { fatal: true });

/**
 * Bodies are JSON in UTF-8, and nothing else: guessing an encoding would store other text. Read when
 * their caller is known, within the limit of their call and the budget of all bodies. What may be long
 * is parsed over several turns, and counts until it is answered; other bodies until they are read.
 */
export function registerJsonBodies(app: App, bodies: SharedBound): void {
  app.removeAllContentTypeParsers();
  app.decorateRequest('bodyHolder', null);
  const longBodies = new FairQueue(LONG_BODIES);
  app.addHook('onRoute', (route: RouteOptions) => {
    if ((route.bodyLimit ?? 0) <= MAX_ITEM_LENGTH) return;
    route.preParsing = holdByResponse;
  });
  app.addContentTypeParser('application/json', (request, payload, done) => {
    refuseOtherEncodings(request);
    readWithin(bodies, request, payload, (error, body) => {
      if (error || !body) done(error);
      else if (body.length === 0 && !needsBody(request)) done(null, undefined);
      else settle(body, (text) => longBodies.run(ticketOf(request), () => parseLong(text)), done);
    });
  });
}

/** Reads a body within the limit of its call and the share of its caller's group. */
export function readWithin(
  bodies: SharedBound,
  request: FastifyRequest,
  payload: Readable,
  done: (error: Error | null, body?: Buffer) => void,
): void {
  const { callerGroup } = request;
  const size = sizeOf(request);
  const bytes = Math.max(MIN_BODY_BYTES, size.declared ?? size.limit);
  if (!bodies.hasRoom(callerGroup, bytes)) {
    throw new OverloadError('bodies', 'too many bodies are under way');
  }
  const giveBack = bodies.take(callerGroup, bytes);
  if (request.bodyHolder) whenClosed(request.bodyHolder, giveBack);
  readBody(payload, size, (error, body) => {
    if (!request.bodyHolder) giveBack();
    done(error, body);
  });
}

/** Any value of a body that is short, also null; throws MALFORMED_JSON. */
export function readJson(body: Buffer): unknown {
  return parse(decode(body));
}

type Done = (error: Error | null, body?: unknown) => void;

function holdByResponse(
  request: FastifyRequest,
  { raw }: FastifyReply,
  _payload: unknown,
  done: (error: null) => void,
): void {
  request.bodyHolder = raw;
  done(null);
}

/** A short body at once, as most are; a long one over several turns of the event loop. */
function settle(body: Buffer, whenLong: (text: string) => Promise<unknown>, done: Done): void {
  const parsed = attempt(() => {
    const text = decode(body);
    return text.length > MAX_ITEM_LENGTH ? whenLong(text) : requireSome(parse(text));
  });
  if (parsed instanceof Error) done(parsed);
  else if (parsed instanceof Promise) {
    parsed.then(requireSome).then((value) => done(null, value), done);
  } else done(null, parsed);
}

function ticketOf({ callerGroup: group }: FastifyRequest): Ticket {
  return { group, rests: true };
}

function attempt(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return toError(error);
  }
}

/** Clients send the type of a body also where they send none. */
function needsBody({ routeOptions }: FastifyRequest): boolean {
  const { required }: { required?: readonly string[] } = { ...Object(routeOptions.schema?.body) };
  return required !== undefined && required.length > 0;
}

export function sizeOf({ headers, routeOptions }: FastifyRequest): BodySize {
  const { bodyLimit: limit } = routeOptions;
  const declared = headers['content-length'];
  if (Number(declared ?? 0) > limit) throw bodyTooLarge(limit);
  return { limit, declared: declared === undefined ? null : Number(declared) };
}

export function refuseOtherEncodings({ headers }: FastifyRequest): void {
  const charsets = (headers['content-type'] ?? '').matchAll(/;\s*charset\s*=\s*"?([^";\s]*)"?/gi);
  for (const [, charset = ''] of charsets) {
    if (!/^utf-?8$/i.test(charset)) {
      throw new KeywardError('UNSUPPORTED_MEDIA_TYPE', 'Send the body in UTF-8.');
    }
  }
  if (/^(identity)?$/i.test(headers['content-encoding'] ?? '')) return;
  throw new KeywardError('UNSUPPORTED_MEDIA_TYPE', 'Send the body without a Content-Encoding.');
}

function decode(body: Buffer): string {
  if (body.length === 0) {
    throw new KeywardError('MALFORMED_JSON', 'The body is empty; send a JSON object.');
  }
  try {
    return DECODER.decode(body);
  } catch {
    throw new KeywardError('MALFORMED_JSON', 'The body is not valid UTF-8.');
  }
}

/** More than any list may have, so that the rest does not matter. */
const TOO_MANY_ITEMS = 10_000;

/** Only calls with a list take such bodies. Parsed at once, one could hold the event loop for long. */
async function parseLong(text: string): Promise<unknown> {
  const { rest, groups } = cutLists(text);
  let parsed = 0;
  const items = await mapInTurns(groups, (group) => {
    if (parsed > TOO_MANY_ITEMS) return [];
    const some = parseGroup(group);
    parsed += some.length;
    return some;
  });
  const body = parse(rest);
  for (const list of Object.values(Object(body))) {
    if (!Array.isArray(list)) continue;
    const indexes: number[] = list.splice(0);
    for (const index of indexes) {
      list.push(...(items[index] ?? []));
      if (list.length > TOO_MANY_ITEMS) break;
    }
  }
  return body;
}

function parseGroup(text: string): unknown[] {
  if (text.length > MAX_ITEM_LENGTH) {
    const detail = `is longer than ${MAX_ITEM_LENGTH} characters`;
    return [new FaultyItem({ pointer: '', detail })];
  }
  const items = parse(`[${text}]`);
  // Nothing between two commas, or after the last.
  if (!Array.isArray(items) || items.length === 0) throw new KeywardError('MALFORMED_JSON');
  return items;
}

function parse(text: string): unknown {
  try {
    return parseStrictJson(text);
  } catch {
    throw new KeywardError('MALFORMED_JSON');
  }
}

/** A missing body is null, too, and counts as an empty object. */
function requireSome(value: unknown): unknown {
  if (value === null) throw invalidField('/body', 'must be object');
  return value;
}
