import type { IncomingHttpHeaders } from 'node:http';
import { LIFETIME_MS } from './sessions.ts';

/** Browsers take the first from this host over TLS alone. */
const SECURE_NAME = '__Host-keyward-console';
const PLAIN_NAME = 'keyward-console';
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Strict';

export interface Cookie {
  value: string;
  /** Whether it is for TLS alone. */
  isSecure: boolean;
}

/** The sealed session of a request, if it has one. One for TLS alone comes first. */
export function readCookie({ cookie = '' }: IncomingHttpHeaders): Cookie | null {
  const values = new Map(cookie.split(/; */).map((pair) => split(pair)));
  const secure = values.get(SECURE_NAME);
  if (secure !== undefined) return { value: secure, isSecure: true };
  const plain = values.get(PLAIN_NAME);
  return plain === undefined ? null : { value: plain, isSecure: false };
}

/** A `Set-Cookie` header. */
export function cookieHeader({ value, isSecure }: Cookie): string {
  const name = isSecure ? SECURE_NAME : PLAIN_NAME;
  return `${name}=${value}; ${isSecure ? 'Secure; ' : ''}Max-Age=${LIFETIME_MS / 1000}; ${ATTRIBUTES}`;
}

/** `Set-Cookie` headers that take away whatever there is. */
export const NO_COOKIES = [
  `${SECURE_NAME}=; Secure; Max-Age=0; ${ATTRIBUTES}`,
  `${PLAIN_NAME}=; Max-Age=0; ${ATTRIBUTES}`,
];

/**
 * Whether a sign-in came over TLS, also where a proxy in front ends it: browsers say the scheme of the page
 * in `Origin`, but not in a GET.
 */
export function isSecureOrigin({ origin = '' }: IncomingHttpHeaders): boolean {
  return origin.startsWith('https:');
}

function split(pair: string): [string, string] {
  const at = pair.indexOf('=');
  return [pair.slice(0, at), pair.slice(at + 1)];
}

/**
 * Whether a request comes from a page of this origin. No other origin can set the header: browsers
 * would ask first, and nothing here grants it.
 */
export function isFromConsole(headers: IncomingHttpHeaders): boolean {
  const { 'keyward-console': proof, 'sec-fetch-site': site = 'same-origin' } = headers;
  return proof !== undefined && site === 'same-origin';
}
