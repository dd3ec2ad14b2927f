import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type KeyCredential, retiresAt } from '../../credentials/credential.ts';
import type { VerdictCode } from '../../domain/verdict.ts';
import { rateLimitHeaders, secondsUntil } from '../../http/rate-limit-headers.ts';
import type { QuotaResult } from '../../quotas/quota-limiter.ts';
import type { Verification } from '../verifier.ts';

/** A verdict, or why there is no key to judge. */
type AuthorizeCode = VerdictCode | MissingKeyCode;
type MissingKeyCode = 'KEY_MISSING' | 'KEY_AMBIGUOUS';

interface Denial {
  status: 401 | 403 | 429;
  detail: string;
  /** RFC 6750. */
  error?: 'invalid_token' | 'insufficient_scope';
}

const unauthorized = (detail: string): Denial => ({ status: 401, detail, error: 'invalid_token' });
const forbidden = (detail: string): Denial => ({ status: 403, detail });
const tooMany = (detail: string): Denial => ({ status: 429, detail });

/** What a gateway's client is told of each verdict. */
const DENIALS: Record<Exclude<AuthorizeCode, 'VALID'>, Denial> = {
  KEY_MISSING: { status: 401, detail: 'Send an API key: `Authorization: Bearer <key>`.' },
  KEY_AMBIGUOUS: { status: 401, detail: 'Send one API key, not several.' },
  NOT_FOUND: unauthorized('The API key is unknown.'),
  REVOKED: unauthorized('The API key is revoked.'),
  DISABLED: unauthorized('The API key is disabled.'),
  NOT_YET_VALID: unauthorized('The API key is not valid yet.'),
  EXPIRED: unauthorized('The API key has expired.'),
  WORKSPACE_SUSPENDED: forbidden('The workspace of the API key is suspended.'),
  IP_NOT_ALLOWED: forbidden('The API key may not be used from this address.'),
  INSUFFICIENT_SCOPE: {
    ...forbidden('The API key lacks a required scope.'),
    error: 'insufficient_scope',
  },
  RESOURCE_NOT_ALLOWED: forbidden('The API key has no access to this resource.'),
  RATE_LIMITED: tooMany('The API key has reached a rate limit.'),
  CREDITS_EXHAUSTED: tooMany('The API key has no credits left.'),
};

export interface AnswerOptions {
  /** nginx accepts 200, 401 and 403 alone; a header then has the true status. */
  forNginx: boolean;
  now: number;
}

/** The verdict as status and headers; a denial has a body for people. */
export function sendVerification(
  request: FastifyRequest,
  reply: FastifyReply,
  verification: Verification,
  options: AnswerOptions,
): FastifyReply {
  const { code, credential, quota, missingScopes } = verification;
  if (quota) reply.headers(rateLimitHeaders(quota.rateLimits, options.now));
  if (code !== 'VALID') {
    const retryAt = usefulRetryAt(quota, credential);
    return sendDenial(request, reply, { code, missingScopes, retryAt }, options);
  }
  return reply
    .headers({ 'x-keyward-code': code, 'x-keyward-status': 200 })
    .headers(identityOf(credential, options.now))
    .send();
}

export function sendMissingKey(
  request: FastifyRequest,
  reply: FastifyReply,
  code: MissingKeyCode,
  options: AnswerOptions,
): FastifyReply {
  return sendDenial(request, reply, { code, missingScopes: [], retryAt: null }, options);
}

interface Denied {
  code: Exclude<AuthorizeCode, 'VALID'>;
  missingScopes: readonly string[];
  /** When the same request may pass, in epoch milliseconds; null if waiting does not help. */
  retryAt: number | null;
}

function sendDenial(
  request: FastifyRequest,
  reply: FastifyReply,
  { code, missingScopes, retryAt }: Denied,
  { forNginx, now }: AnswerOptions,
): FastifyReply {
  const denial = DENIALS[code];
  reply.headers({ 'x-keyward-code': code, 'x-keyward-status': denial.status });
  reply.status(forNginx && denial.status === 429 ? 403 : denial.status);
  if (retryAt !== null) reply.header('retry-after', secondsUntil(retryAt, now));
  const challenge = challengeOf(denial, missingScopes);
  if (challenge) reply.header('www-authenticate', challenge);
  return reply
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(bodyOf(code, denial, request.id)));
}

/** Waiting helps only if the presented string is still valid then. */
function usefulRetryAt(quota: QuotaResult | null, credential: KeyCredential | null): number | null {
  const retryAt = quota?.retryAt ?? null;
  if (retryAt === null || !credential) return null;
  const { expiresAt, validUntil } = credential;
  return retryAt < Math.min(expiresAt ?? Infinity, validUntil ?? Infinity) ? retryAt : null;
}

/** Every header is always set, empty if unknown, so that a gateway overwrites what a client sent. */
function identityOf(
  credential: KeyCredential | null | undefined,
  now: number,
): Record<string, string> {
  if (!credential) throw new Error('a VALID verdict has a credential');
  return {
    'x-keyward-key-id': credential.keyId,
    'x-keyward-owner': headerSafe(credential.ownerId ?? ''),
    ...scopesHeader(credential.scopes),
    'x-keyward-workspace': credential.workspaceId,
    ...retirement(retiresAt(credential), now),
  };
}

/** Far below what gateways and servers take of headers; a key may have 100 scopes of 128 characters. */
const MAX_SCOPES_BYTES = 4096;

/** Cut between scopes if too long; the marker is always set, so that no client can forge it. */
function scopesHeader(scopes: readonly string[]): Record<string, string> {
  const whole = scopes.join(' ');
  if (whole.length <= MAX_SCOPES_BYTES) {
    return { 'x-keyward-scopes': whole, 'x-keyward-truncated': '' };
  }
  const cut = whole.slice(0, whole.lastIndexOf(' ', MAX_SCOPES_BYTES));
  return { 'x-keyward-scopes': cut, 'x-keyward-truncated': 'scopes' };
}

/** RFC 9745 and RFC 8594: the presented string is being replaced and ends at a known time. */
function retirement(validUntil: number | null, now: number): Record<string, string> {
  if (validUntil === null) return {};
  return {
    deprecation: `@${Math.floor(now / 1000)}`,
    sunset: new Date(validUntil).toUTCString(),
  };
}

/** Percent-encodes what is not visible ASCII, and `%`: decodeURIComponent gives the text back. */
function headerSafe(text: string): string {
  return text.replaceAll(/[^\x21-\x24\x26-\x7e]+/g, encodeURIComponent);
}

function challengeOf({ status, error }: Denial, missing: readonly string[]): string | null {
  if (status !== 401 && !error) return null;
  const named = error ? `, error="${error}"` : '';
  const { 'x-keyward-scopes': scopes } = scopesHeader(missing);
  const scope = error === 'insufficient_scope' ? `, scope="${scopes}"` : '';
  return `Bearer realm="keyward"${named}${scope}`;
}

/** RFC 9457, with the true status. */
function bodyOf(code: AuthorizeCode, { status, detail }: Denial, requestId: string) {
  const title = STATUS_CODES[status] ?? 'Error';
  return { type: 'about:blank', title, status, code, detail, errors: [], requestId };
}
