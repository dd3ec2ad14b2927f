import { STATUS_CODES } from 'node:http';
import type { ErrorCode, KeywardError } from '../errors.ts';

const STATUS: Record<ErrorCode, number> = {
  INVALID_REQUEST: 400,
  MALFORMED_HTTP: 400,
  MALFORMED_JSON: 400,
  INVALID_CURSOR: 400,
  CONTAINS_KEY: 400,
  KEY_WITH_SCHEME: 400,
  UNAUTHENTICATED: 401,
  GATEWAY_UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  WORKSPACE_SUSPENDED: 403,
  UPGRADE_REQUIRED: 403,
  NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  KEY_REVOKED: 409,
  KEY_EXPIRED: 409,
  KEY_IMMUTABLE: 409,
  KEY_LIMIT_REACHED: 409,
  WEBHOOK_LIMIT_REACHED: 409,
  WEBHOOK_DISABLED: 409,
  WEBHOOKS_NEED_SECRET: 409,
  CREDITS_UNLIMITED: 409,
  ROTATION_UNDER_WAY: 409,
  DEFAULT_WORKSPACE: 409,
  WORKSPACE_DELETION_UNDER_WAY: 409,
  TOO_MANY_KEYS: 409,
  TOO_MANY_EVENTS: 409,
  IDEMPOTENCY_IN_FLIGHT: 409,
  PRECONDITION_FAILED: 412,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  EXPECTATION_FAILED: 417,
  IDEMPOTENCY_MISMATCH: 422,
  QUERY_TOO_BROAD: 422,
  AUDIT_LIMIT_REACHED: 429,
  TOO_MANY_REQUESTS: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL: 500,
  OVERLOADED: 503,
  TIMED_OUT: 503,
  UNAVAILABLE: 503,
};

export function statusOf({ code }: KeywardError): number {
  return STATUS[code];
}

/** The body of a problem (RFC 9457). */
export function problemBody(error: KeywardError, requestId: string) {
  const status = statusOf(error);
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code: error.code,
    detail: error.detail,
    errors: error.errors,
    requestId,
  };
}
