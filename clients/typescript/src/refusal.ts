import type { InvalidVerdict, Verdict } from './verdict.ts';

/** The answer to a request that is not let through. */
export interface Refusal {
  status: number;
  headers: Record<string, string>;
  /** Of problem+json. */
  body: string;
}

interface Denial {
  status: number;
  title: string;
  detail: string;
  /** RFC 6750. */
  challenge?: string;
}

const denial = (status: number, title: string, challenge?: string) => (detail: string) => ({
  ...{ status, title, detail },
  ...(challenge !== undefined && { challenge }),
});
const missing = denial(401, 'Unauthorized', 'Bearer');
const unauthorized = denial(401, 'Unauthorized', 'Bearer error="invalid_token"');
const forbidden = denial(403, 'Forbidden');
const tooMany = denial(429, 'Too Many Requests');
const unavailable = denial(503, 'Service Unavailable');

/** What a client is told of each verdict. */
const DENIALS: Readonly<Record<string, Denial>> = {
  KEY_MISSING: missing('Send an API key: `Authorization: Bearer <key>`.'),
  KEY_WITH_SCHEME: unauthorized('Send the API key alone, without a scheme before it.'),
  NOT_FOUND: unauthorized('The API key is unknown.'),
  REVOKED: unauthorized('The API key is revoked.'),
  DISABLED: unauthorized('The API key is disabled.'),
  NOT_YET_VALID: unauthorized('The API key is not valid yet.'),
  EXPIRED: unauthorized('The API key has expired.'),
  WORKSPACE_SUSPENDED: forbidden('The workspace of the API key is suspended.'),
  IP_NOT_ALLOWED: forbidden('The API key may not be used from this address.'),
  INSUFFICIENT_SCOPE: forbidden('The API key lacks a required scope.'),
  RESOURCE_NOT_ALLOWED: forbidden('The API key has no access to this resource.'),
  RATE_LIMITED: tooMany('The API key has reached a rate limit.'),
  CREDITS_EXHAUSTED: tooMany('The API key has no credits left.'),
  UNAVAILABLE: unavailable('API keys cannot be verified; try again after a moment.'),
};
const UNKNOWN = forbidden('The API key may not be used for this.');

/** A code that is not known is refused like the others. */
export function refuse(
  code: string,
  headers: Record<string, string> = {},
  requestId?: string,
): Refusal {
  const { status, title, detail, challenge } = Object.hasOwn(DENIALS, code)
    ? (DENIALS[code] ?? UNKNOWN)
    : UNKNOWN;
  const body = { type: 'about:blank', title, status, code, detail, errors: [], requestId };
  return {
    status,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      ...(challenge !== undefined && { 'www-authenticate': challenge }),
      ...headers,
    },
    body: JSON.stringify(body),
  };
}

export function refusalOf(verdict: InvalidVerdict, cost: number): Refusal {
  const { code, missingScopes, requestId } = verdict;
  const retryAfter = retryAfterOf(verdict, cost);
  const headers = {
    ...keyHeaders(verdict),
    ...(retryAfter !== null && { 'retry-after': String(retryAfter) }),
    ...(code === 'INSUFFICIENT_SCOPE' && scopeChallenge(missingScopes ?? [])),
  };
  return refuse(code, headers, requestId);
}

/** Far below what servers and clients take of headers. */
const MAX_SCOPES = 4096;

function scopeChallenge(scopes: readonly string[]): Record<string, string> {
  const named = scopes.join(' ');
  const scope = named.length > 0 && named.length <= MAX_SCOPES ? `, scope="${named}"` : '';
  return { 'www-authenticate': `Bearer error="insufficient_scope"${scope}` };
}

/** Null where waiting does not help: the cost is above the limit or the credits, or the key ends before. */
function retryAfterOf(verdict: InvalidVerdict, cost: number): number | null {
  const exceeded = (verdict.rateLimits ?? []).filter((limit) => limit.exceeded);
  if (exceeded.some(({ limit }) => limit < cost)) return null;
  if ((verdict.credits?.remaining ?? cost) < cost) return null;
  const times = exceeded.map(({ resetAt }) => timeOf(resetAt));
  const latest = Math.max(...times);
  const { expiresAt, rotation } = verdict;
  const end = Math.min(timeOf(expiresAt), timeOf(rotation?.validUntil ?? null));
  return Number.isFinite(latest) && latest < end ? secondsUntil(latest) : null;
}

/** What holds with a valid verdict too: the limits, and that a string is being replaced. */
export function keyHeaders({ rateLimits, rotation }: Verdict): Record<string, string> {
  return { ...rateLimitHeaders(rateLimits ?? []), ...retirementHeaders(rotation) };
}

/** draft-ietf-httpapi-ratelimit-headers. Names of limits are safe inside a quoted string. */
function rateLimitHeaders(limits: NonNullable<Verdict['rateLimits']>): Record<string, string> {
  if (limits.length === 0) return {};
  const policies = limits.map(
    ({ name, limit, windowSeconds }) => `"${name}";q=${limit};w=${windowSeconds}`,
  );
  const states = limits.map(({ name, remaining, resetAt }) => {
    const reset = resetAt === null ? '' : `;t=${secondsUntil(Date.parse(resetAt))}`;
    return `"${name}";r=${remaining}${reset}`;
  });
  return { 'ratelimit-policy': policies.join(', '), ratelimit: states.join(', ') };
}

/** RFC 9745 and RFC 8594. */
function retirementHeaders(rotation: Verdict['rotation']): Record<string, string> {
  if (!rotation?.retiring) return {};
  const deprecation = `@${Math.floor(Date.now() / 1000)}`;
  if (rotation.validUntil === null) return { deprecation };
  return { deprecation, sunset: new Date(rotation.validUntil).toUTCString() };
}

/** Never, if there is none. */
function timeOf(time: string | null): number {
  return time === null ? Number.POSITIVE_INFINITY : Date.parse(time);
}

/** At least 1: a client that waits 0 seconds has not waited. */
function secondsUntil(time: number): number {
  return Math.max(1, Math.ceil((time - Date.now()) / 1000));
}
