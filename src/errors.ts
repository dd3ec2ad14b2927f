/**
 * Every error that a caller can get, with its default text. Codes never change; http/problem.ts
 * maps them to HTTP statuses.
 */
export const ERRORS = {
  INVALID_REQUEST: 'The request is not valid; `errors` names the fields.',
  MALFORMED_JSON: 'The body is not valid JSON, with each name once.',
  INVALID_CURSOR:
    'The cursor does not belong to this list, with these filters and this sort order.',
  CONTAINS_KEY: 'A text that would be stored contains an API key.',
  KEY_WITH_SCHEME: '`key` starts with an authorization scheme such as `Bearer`.',
  UNAUTHENTICATED: 'Send a valid management key: `Authorization: Bearer <management key>`.',
  GATEWAY_UNAUTHENTICATED:
    'The gateway must send `X-Keyward-Authorization: Bearer <management key>`.',
  FORBIDDEN: 'The management key lacks the permission for this call.',
  WORKSPACE_SUSPENDED:
    'The workspace is suspended; its management keys can only read and verify until it is resumed.',
  UPGRADE_REQUIRED: 'The workspace has no API access; its existing keys keep working.',
  NOT_FOUND: 'Not found, or not in this workspace.',
  ROUTE_NOT_FOUND: 'Route not found.',
  METHOD_NOT_ALLOWED: 'This path does not support this method.',
  REQUEST_TIMEOUT: 'The request did not arrive in time.',
  MALFORMED_HTTP: 'The request is not valid HTTP.',
  EXPECTATION_FAILED: 'The `Expect` header asks for something else than `100-continue`.',
  HEADERS_TOO_LARGE: 'The headers are larger than 16 KiB.',
  KEY_REVOKED: 'The key is revoked, which is final.',
  KEY_EXPIRED: 'The key has expired; extend it first.',
  KEY_IMMUTABLE: "The workspace does not allow this field to change after the key's creation.",
  KEY_LIMIT_REACHED: 'The workspace has reached its maximum of keys.',
  WEBHOOK_LIMIT_REACHED: 'The workspace has 20 webhooks, which is the maximum.',
  WEBHOOK_DISABLED: 'The webhook is disabled; enable it first.',
  WEBHOOKS_NEED_SECRET:
    'Set KEYWARD_SECRET first: the signing secrets of webhooks are sealed with a key of it.',
  CREDITS_UNLIMITED: 'The credits of this key are not limited; set `credits` first.',
  ROTATION_UNDER_WAY: 'A rotation is in progress; end its grace period, or send `supersede: true`.',
  DEFAULT_WORKSPACE: 'The workspace `default` cannot be deleted.',
  WORKSPACE_DELETION_UNDER_WAY:
    'Not all keys of the deleted workspace have ended yet; try again after some minutes.',
  TOO_MANY_KEYS: 'More keys match than one call may revoke; narrow the filter.',
  TOO_MANY_EVENTS: 'More than 10,000 events match; narrow the range.',
  IDEMPOTENCY_IN_FLIGHT: 'The first call with this Idempotency-Key is still in progress.',
  PRECONDITION_FAILED:
    'The resource has changed since it was read (`If-Match`); read it again and compare.',
  BODY_TOO_LARGE: 'The body is larger than this call accepts.',
  UNSUPPORTED_MEDIA_TYPE: 'The body is of a type that this call does not take.',
  IDEMPOTENCY_MISMATCH: 'This Idempotency-Key was used for another call or payload.',
  AUDIT_LIMIT_REACHED:
    'The audit log of the workspace has reached its maximum of entries; what ends something still passes.',
  TOO_MANY_REQUESTS:
    'The management key, or its workspace, has made all requests that it may make in a second.',
  INTERNAL: 'An error in Keyward; its log has the details under this request id.',
  OVERLOADED: 'Keyward is overloaded; try again after a moment.',
  QUERY_TOO_BROAD: 'The database took too long to read this list; narrow its filters.',
  TIMED_OUT:
    'The database did not finish in time, for example because of a lock; nothing was changed.',
  UNAVAILABLE: 'The database is unavailable; try again after a moment.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof ERRORS;

export interface FieldError {
  /** JSON pointer to the field, which begins with `/body`, `/query`, `/path` or `/headers`. */
  pointer: string;
  detail: string;
}

/** An error that is reported to the caller: `detail` is written for people and contains no secret. */
export class KeywardError extends Error {
  override name = 'KeywardError';
  readonly code: ErrorCode;
  readonly detail: string;
  readonly errors: readonly FieldError[];

  constructor(code: ErrorCode, detail?: string, errors: readonly FieldError[] = []) {
    // Its cause is the caller: a stack would say nothing, and takes longer than the answer.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(code);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.detail = detail ?? ERRORS[code];
    this.errors = errors;
  }
}

/** One step of a JSON pointer (RFC 6901). */
export function pointerStep(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** An error of fields. Its detail names the first, so that it can be read alone. */
export function refusedFields(code: ErrorCode, errors: readonly FieldError[]): KeywardError {
  const [first] = errors;
  return new KeywardError(code, first && `${first.pointer}: ${first.detail}`, errors);
}

/** An INVALID_REQUEST that names one field. */
export function invalidField(pointer: string, detail: string): KeywardError {
  return refusedFields('INVALID_REQUEST', [{ pointer, detail }]);
}

export function noWorkspace(id: string): KeywardError {
  return new KeywardError('NOT_FOUND', `No workspace ${id}; create it first with PUT.`);
}

export function bodyTooLarge(limit: number): KeywardError {
  return new KeywardError('BODY_TOO_LARGE', `The body is larger than ${limit} bytes.`);
}
