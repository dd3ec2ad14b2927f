import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { KeyCredential } from '../../credentials/credential.ts';
import type { VerdictCode } from '../../domain/verdict.ts';
import type { Verification } from '../verifier.ts';

/** A verdict, or the want of a key to judge. */
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

/** How a gateway's client hears of each verdict. */
const DENIALS: Record<Exclude<AuthorizeCode, 'VALID'>, Denial> = {
  KEY_MISSING: { status: 401, detail: 'Send an API key: `Authorization: Bearer <key>`.' },
  NOT_FOUND: unauthorized('The API key is not known.'),
  REVOKED: unauthorized('The API key is revoked.'),
  DISABLED: unauthorized('The API key is disabled.'),
  NOT_YET_VALID: unauthorized('The API key is not valid yet.'),
  EXPIRED: unauthorized('The API key has expired.'),
  WORKSPACE_SUSPENDED: forbidden('The workspace of the API key is suspended.'),
  IP_NOT_ALLOWED: forbidden('The API key may not be used from this address.'),
  INSUFFICIENT_SCOPE: {
    ...forbidden('The API key lacks a scope that this needs.'),
    error: 'insufficient_scope',
  },
  RESOURCE_NOT_ALLOWED: forbidden('The API key may not touch this.'),
  RATE_LIMITED: tooMany('A rate limit of the API key is reached.'),
  CREDITS_EXHAUSTED: tooMany('The API key has no credits left.'),
};

export interface Answering {
  /** Whether only 200, 401 and 403 may be answered, with the true status in a header. */
  forNginx: boolean;
  now: number;
}

/** The verdict as status and headers, with a body for people where it is a denial. */
export function sendVerification(
  request: FastifyRequest,
  reply: FastifyReply,
  verdict: Verification | null,
  { forNginx, now }: Answering,
): FastifyReply {
  const code = verdict?.code ?? 'KEY_MISSING';
  const denial = code === 'VALID' ? null : DENIALS[code];
  const status = denial?.status ?? 200;
  reply.headers({ 'x-keyward-code': code, 'x-keyward-status': status });
  reply.status(forNginx && status === 429 ? 403 : status);
  if (!denial) return reply.headers(identityOf(verdict?.credential, now)).send();
  const retryAt = verdict?.quota?.retryAt ?? null;
  if (retryAt !== null) reply.header('retry-after', Math.max(1, Math.ceil((retryAt - now) / 1000)));
  const challenge = challengeOf(denial, verdict?.missingScopes ?? []);
  if (challenge) reply.header('www-authenticate', challenge);
  return reply
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(bodyOf(code, denial, request.id)));
}

/** Each is always there, empty where unknown, so that a gateway overwrites what a client sent. */
function identityOf(state: KeyCredential | null | undefined, now: number): Record<string, string> {
  if (!state) throw new Error('a valid key has a state');
  return {
    'x-keyward-key-id': state.keyId,
    'x-keyward-owner': headerSafe(state.ownerId ?? ''),
    'x-keyward-scopes': state.scopes.join(' '),
    'x-keyward-workspace': state.workspaceId,
    ...retirement(state.validUntil, now),
  };
}

/** RFC 9745 and RFC 8594: the presented string is being replaced, and ends then. */
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
