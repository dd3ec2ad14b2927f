import { STATUS_CODES } from 'node:http';
import { ERRORS, type ErrorCode, KeywardError } from '../../errors.ts';
import { statusOf } from '../problem.ts';
import { ERROR_CODES } from '../schemas.ts';
import { type HeaderName, headerRefs } from './headers.ts';

/** What of a route decides which errors it can answer with. */
export interface DescribedRoute {
  method: string | readonly string[];
  config?: { permission?: string; urgent?: boolean } | undefined;
  schema?: { response?: unknown; querystring?: unknown; consumes?: unknown } | undefined;
}

const ALL: readonly ErrorCode[] = Object.keys(ERRORS).filter(isErrorCode);

const OF_EVERY_CALL: readonly ErrorCode[] = [
  'INVALID_REQUEST',
  'INTERNAL',
  'OVERLOADED',
  'TIMED_OUT',
  'UNAVAILABLE',
];
const OF_BODIES: readonly ErrorCode[] = ['BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
const OF_JSON: readonly ErrorCode[] = ['MALFORMED_JSON'];
const OF_MANAGEMENT: readonly ErrorCode[] = ['UNAUTHENTICATED', 'FORBIDDEN', 'CONTAINS_KEY'];
const OF_WAITING: readonly ErrorCode[] = ['TOO_MANY_REQUESTS'];
const OF_CHANGES: readonly ErrorCode[] = [
  'WORKSPACE_SUSPENDED',
  'IDEMPOTENCY_IN_FLIGHT',
  'IDEMPOTENCY_MISMATCH',
];
const OF_LISTS: readonly ErrorCode[] = ['INVALID_CURSOR'];

/**
 * The codes of the errors that a call can answer with, in the order of the catalogue: those that
 * its route lists, and those that follow from what the call is. Null for other routes. What is
 * refused before a route is found, such as broken HTTP, belongs to no call.
 */
export function errorCodesOf(route: DescribedRoute): ErrorCode[] | null {
  const own = listedCodes(route.schema?.response);
  if (own === null) return null;
  const { permission, urgent = false } = route.config ?? {};
  const reads = route.method === 'GET';
  const codes = new Set<ErrorCode>([
    ...own,
    ...OF_EVERY_CALL,
    ...(reads ? [] : OF_BODIES),
    ...(reads || route.schema?.consumes ? [] : OF_JSON),
    ...(permission ? OF_MANAGEMENT : []),
    ...(permission && !urgent ? OF_WAITING : []),
    ...(permission && !permission.endsWith(':read') && !reads ? OF_CHANGES : []),
    ...(hasCursor(route.schema?.querystring) ? OF_LISTS : []),
  ]);
  return ALL.filter((code) => codes.has(code));
}

function listedCodes(response: unknown): readonly ErrorCode[] | null {
  const codes: unknown =
    typeof response === 'object' && response !== null ? Reflect.get(response, ERROR_CODES) : null;
  return Array.isArray(codes) ? codes.filter(isErrorCode) : null;
}

function hasCursor(querystring: unknown): boolean {
  const { properties }: { properties?: object } = { ...Object(querystring) };
  return properties !== undefined && 'cursor' in properties;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** By status: a reference to the response of such errors, which says the codes of the call. */
export function errorResponses(codes: readonly ErrorCode[]): Record<string, object> {
  const byStatus = Map.groupBy(codes, statusOfCode);
  return Object.fromEntries(
    [...byStatus].map(([status, these]) => {
      const $ref = `#/components/responses/${responseName(status)}`;
      return [status, { $ref, description: these.map((code) => `\`${code}\``).join(', ') }];
    }),
  );
}

const HEADERS: Record<number, readonly HeaderName[]> = {
  401: ['WWW-Authenticate'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

/** The response of each status that these errors have. */
export function errorComponents(codes: readonly ErrorCode[]): Record<string, object> {
  const statuses = new Set(codes.map(statusOfCode));
  return Object.fromEntries(
    [...statuses].map((status) => [
      responseName(status),
      {
        description: `${STATUS_CODES[status]}; \`code\` says why.`,
        headers: headerRefs(['X-Request-Id', ...(HEADERS[status] ?? [])]),
        content: {
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        },
      },
    ]),
  );
}

function responseName(status: number): string {
  return (STATUS_CODES[status] ?? 'Error').replaceAll(/\W/g, '');
}

function statusOfCode(code: ErrorCode): number {
  return statusOf(new KeywardError(code));
}
