import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { KeyCredential } from '../../credentials/credential.ts';
import type { VerdictCode } from '../../domain/verdict.ts';
import type { Verification } from '../verifier.ts';

/** A verdict, or that the client sent no key. */
type AuthorizeCode = VerdictCode | 'KEY_MISSING';

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
  verification: Verification | null,
  { forNginx, now }: AnswerOptions,
): FastifyReply {
  const code = verification?.code ?? 'KEY_MISSING';
  const denial = code === 'VALID' ? null : DENIALS[code];
  const status = denial?.status ?? 200;
  reply.headers({ 'x-keyward-code': code, 'x-keyward-status': status });
  reply.status(forNginx && status === 429 ? 403 : status);
  if (!denial) return reply.headers(identityOf(verification?.credential, now)).send();
  const retryAt = verification?.quota?.retryAt ?? null;
  if (retryAt !== null) reply.header('retry-after', Math.max(1, Math.ceil((retryAt - now) / 1000)));
  const challenge = challengeOf(denial, verification?.missingScopes ?? []);
  if (challenge) reply.header('www-authenticate', challenge);
  return reply
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(bodyOf(code, denial, request.id)));
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
    'x-keyward-scopes': credential.scopes.join(' '),
    'x-keyward-workspace': credential.workspaceId,
    ...retirement(credential.validUntil, now),
  };
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
  const scope = error === 'insufficient_scope' ? `, scope="${missing.join(' ')}"` : '';
  return `Bearer realm="keyward"${named}${scope}`;
}

/** RFC 9457, with the true status. */
function bodyOf(code: AuthorizeCode, { status, detail }: Denial, requestId: string) {
  const title = STATUS_CODES[status] ?? 'Error';
  return { type: 'about:blank', title, status, code, detail, errors: [], requestId };
}
