import { KeywardError } from './error.ts';
import { isObject, parseJson } from './json.ts';
import type { components } from './openapi.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** An HTTP answer that has arrived completely. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

export interface Call extends RequestInit {
  url: string;
  signal: AbortSignal;
}

/**
 * Sends one request. Never follows a redirect, which would carry keys to another host. What the
 * platform says of a failure is not passed on: it can quote a header.
 */
export async function exchange(fetch: Fetch, { url, ...init }: Call): Promise<Answer> {
  try {
    const response = await fetch(url, { ...init, redirect: 'manual' });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    if (init.signal.aborted) throw init.signal.reason;
    throw unanswered(error);
  }
}

/** What a connection that never came about says: Node, and Bun. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'ConnectionRefused',
]);

function unanswered(error: unknown): KeywardError {
  const codes = codesOf(error);
  const named = codes.length === 0 ? '' : ` (${codes.join(', ')})`;
  return codes.length > 0 && codes.every((code) => NOT_CONNECTED.has(code))
    ? new KeywardError({ code: 'UNREACHABLE', detail: `Keyward cannot be reached${named}` })
    : new KeywardError({ code: 'NO_ANSWER', detail: `the connection to Keyward failed${named}` });
}

/** Of an error and its causes; that of several addresses has one for each. */
function codesOf(error: unknown): string[] {
  if (!isObject(error)) return [];
  const inner = [error.cause, ...(Array.isArray(error.errors) ? error.errors : [])];
  const own = typeof error.code === 'string' ? [error.code] : [];
  return [...new Set([...own, ...inner.flatMap(codesOf)])];
}

export function problemOf({ status, headers, text }: Answer): KeywardError {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const retryAfterSeconds = Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
  const problem = parseJson(text);
  if (!isProblem(problem)) return notKeyward(status, retryAfterSeconds);
  const { code, detail, requestId, errors } = problem;
  return new KeywardError({ code, detail, requestId, errors, status, retryAfterSeconds });
}

export function notKeyward(status: number, retryAfterSeconds: number | null = null): KeywardError {
  const detail = `status ${status} with a body that is not Keyward's`;
  return new KeywardError({ code: 'BAD_ANSWER', detail, status, retryAfterSeconds });
}

function isProblem(value: unknown): value is components['schemas']['Problem'] {
  if (!isObject(value) || !Array.isArray(value.errors)) return false;
  return [value.code, value.detail, value.requestId].every((field) => typeof field === 'string');
}
