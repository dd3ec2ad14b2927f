import { KeywardError } from './error.ts';
import type { Keyward } from './keyward.ts';
import { logOnceASecond, toStderr } from './log.ts';
import { requireKnown } from './options.ts';
import { keyHeaders, type Refusal, refusalOf, refuse } from './refusal.ts';
import type { ValidVerdict, VerifyRequest } from './verdict.ts';

/** What a route requires of its callers' keys. */
export interface RequireKeyOptions<Request> {
  keyward: Keyward;
  /** Scopes that the key must have, all of them. */
  scopes?: readonly string[];
  /** Scopes of which the key must have at least one. */
  anyScope?: readonly string[];
  /** What the request touches. */
  resource?: string | ((request: Request) => string);
  /** Units that the request consumes of the key's limits and credits. Default: 1. */
  cost?: number | ((request: Request) => number);
  /** Only keys of this workspace. */
  workspaceId?: string;
  /** The client's address, as your server or its trusted proxy knows it. */
  ip?: (request: Request) => string | undefined;
  /** The presented string. Default: `X-API-Key`, else `Authorization: Bearer`. */
  key?: (request: Request) => string | undefined;
  /** There was no verdict, and the request was refused with 503. Default: a line on stderr. */
  onError?: (error: KeywardError, request: Request) => void;
}

/** What a framework knows of a request. */
export interface Presented {
  authorization: string | undefined;
  apiKey: string | undefined;
  userAgent: string | undefined;
  ip: string | undefined;
}

/** Let through, or to be answered with this. */
export type Decision =
  | { verdict: ValidVerdict; headers: Record<string, string> }
  | { verdict: null; refusal: Refusal };

export type Decide<Request> = (request: Request, presented: Presented) => Promise<Decision>;

const OPTIONS: readonly (keyof RequireKeyOptions<never>)[] = [
  ...(['keyward', 'scopes', 'anyScope', 'resource', 'cost'] as const),
  ...(['workspaceId', 'ip', 'key', 'onError'] as const),
];

/** Refuses whatever it has no valid verdict for. */
export function guard<Request>(options: RequireKeyOptions<Request>): Decide<Request> {
  requireKnown(options, OPTIONS);
  requireNames(options);
  const onError = options.onError ?? logOnceASecond(toStderr);
  return async (request, presented) => {
    try {
      return await decide(options, request, presented);
    } catch (thrown) {
      const error = thrown instanceof KeywardError ? thrown : notAsked(thrown);
      if (error.code === 'KEY_WITH_SCHEME') return refused(refuse('KEY_WITH_SCHEME'));
      onError(error, request);
      return refused(refuse('UNAVAILABLE', { 'retry-after': retryAfterOf(error) }));
    }
  };
}

async function decide<Request>(
  options: RequireKeyOptions<Request>,
  request: Request,
  presented: Presented,
): Promise<Decision> {
  const key = options.key ? options.key(request) : presentedKey(presented);
  if (!key) return refused(refuse('KEY_MISSING'));
  const question = questionOf(options, { request, presented, key });
  if (options.resource !== undefined && !isPossibleResource(question.resource)) {
    return refused(refuse('RESOURCE_NOT_ALLOWED'));
  }
  const verdict = await options.keyward.verify(question);
  if (!verdict.valid) return refused(refusalOf(verdict, question.cost ?? 1));
  return { verdict, headers: keyHeaders(verdict) };
}

/**
 * Not every server survives what a route throws, and what a client sends can make it throw. Its message
 * is not passed on: it can quote a header.
 */
function notAsked(thrown: unknown): KeywardError {
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  return new KeywardError({ code: 'NOT_ASKED', detail: `a function of the route threw ${name}` });
}

function refused(refusal: Refusal): Decision {
  return { verdict: null, refusal };
}

/** Nobody knows whether an empty list means everything or nothing. */
function requireNames({ scopes, anyScope }: RequireKeyOptions<never>): void {
  for (const [name, list] of Object.entries({ scopes, anyScope })) {
    if (list?.length === 0) throw new TypeError(`${name} names a scope, or is left out`);
  }
}

/** The most specific place first: `Authorization` may hold something else beside a key. */
function presentedKey({ apiKey, authorization }: Presented): string | undefined {
  return apiKey || /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
}

interface Asked<Request> {
  request: Request;
  presented: Presented;
  key: string;
}

const MAX_USER_AGENT = 512;

function questionOf<Request>(
  options: RequireKeyOptions<Request>,
  { request, presented, key }: Asked<Request>,
): VerifyRequest {
  const { scopes, anyScope, resource, cost, workspaceId } = options;
  const ip = options.ip ? options.ip(request) : presented.ip;
  const { userAgent } = presented;
  return {
    key,
    ...(scopes && { requiredScopes: [...scopes] }),
    ...(anyScope && { requiredAnyScope: [...anyScope] }),
    ...(resource !== undefined && { resource: given(resource, request) }),
    ...(cost !== undefined && { cost: given(cost, request) }),
    ...(workspaceId !== undefined && { workspaceId }),
    ...(ip && isAddress(ip) && { ip }),
    ...(userAgent && { userAgent: userAgent.slice(0, MAX_USER_AGENT) }),
  };
}

function given<Request, Value extends string | number>(
  value: Value | ((request: Request) => Value),
  request: Request,
): Value {
  return typeof value === 'function' ? value(request) : value;
}

/** One line that is not blank, without what turns the direction of text. */
const RESOURCE = /^(?=.*\S)[^\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]{1,256}$/u;

/** One that no key can list is the client's doing, and no reason to say that Keyward is away. */
function isPossibleResource(resource: unknown): boolean {
  return typeof resource === 'string' && RESOURCE.test(resource);
}

/** What a proxy passes on may be anything. A key that is bound to addresses is refused without one. */
function isAddress(text: string): boolean {
  const [address = ''] = text.split('%');
  if (/^[\d.]+$/.test(address)) return urlOf(address)?.hostname === address;
  return /^[\da-f:.]+$/i.test(address) && urlOf(`[${address}]`) !== null;
}

function urlOf(host: string): URL | null {
  const url = `http://${host}/`;
  return URL.canParse(url) ? new URL(url) : null;
}

function retryAfterOf({ retryAfterSeconds }: KeywardError): string {
  return String(Math.max(1, retryAfterSeconds ?? 1));
}
