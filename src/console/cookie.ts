import type { IncomingHttpHeaders } from 'node:http';
import { LIFETIME_MS } from './sessions.ts';

/** Browsers accept the first from this host over TLS alone. */
const SECURE_NAME = '__Host-keyward-console';
const PLAIN_NAME = 'keyward-console';

/** The sealed session of a request, if it has one. */
export function readCookie({ cookie = '' }: IncomingHttpHeaders): string | null {
  const values = new Map(cookie.split(/; */).map((pair) => split(pair)));
  return values.get(SECURE_NAME) ?? values.get(PLAIN_NAME) ?? null;
}

/** A `Set-Cookie` header; an empty value removes the cookie. */
export function cookieHeader(headers: IncomingHttpHeaders, value: string): string {
  const name = isSecure(headers) ? `${SECURE_NAME}=${value}; Secure` : `${PLAIN_NAME}=${value}`;
  const maxAge = value === '' ? 0 : LIFETIME_MS / 1000;
  return `${name}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Strict`;
}

/** The browser says which scheme it uses, also where a proxy in front ends TLS. */
function isSecure({ origin = '' }: IncomingHttpHeaders): boolean {
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
  return proof === '1' && site === 'same-origin';
}
