/**
 * Every error that a caller can meet, with what it means. Codes never change; which HTTP status
 * each of them has is decided in http/problem.ts.
 */
export const ERRORS = {
  INVALID_REQUEST: 'The request does not match what this call takes; see `errors`.',
  MALFORMED_JSON: 'The body is not valid JSON.',
  INVALID_CURSOR: 'The cursor is not one that this list with this sort gave.',
  CONTAINS_KEY: 'A text that would be stored contains an API key.',
  KEY_WITH_SCHEME: '`key` starts with an authorization scheme such as `Bearer`.',
  UNAUTHENTICATED: 'Send a valid management key: `Authorization: Bearer <management key>`.',
  GATEWAY_UNAUTHENTICATED:
    'The gateway must send `X-Keyward-Authorization: Bearer <management key>`.',
  FORBIDDEN: 'The management key lacks the permission for this call.',
  UPGRADE_REQUIRED: 'The workspace has no API access; its existing keys go on working.',
  NOT_FOUND: 'No such thing, or not in this workspace.',
  ROUTE_NOT_FOUND: 'No such call.',
  METHOD_NOT_ALLOWED: 'This path does not take this method.',
  REQUEST_TIMEOUT: 'The request did not arrive in time.',
  KEY_REVOKED: 'The key is revoked, which is final.',
  KEY_EXPIRED: 'The key has expired; extend it first.',
  KEY_IMMUTABLE: "The workspace does not let this field change after the key's creation.",
  KEY_LIMIT_REACHED: 'The workspace has as many active keys as it may have.',
  CREDITS_UNLIMITED: 'The credits of this key are not limited; set `credits` first.',
  ROTATION_UNDER_WAY: 'A rotation is under way; end its grace, or send `supersede: true`.',
  DEFAULT_WORKSPACE: 'The workspace `default` cannot be deleted.',
  TOO_MANY_KEYS: 'More keys match than one call may revoke; narrow the filter.',
  IDEMPOTENCY_IN_FLIGHT: 'The first call with this Idempotency-Key is still under way.',
  PRECONDITION_FAILED: 'It has changed since: read it again and compare (`If-Match`).',
  BODY_TOO_LARGE: 'The body is larger than this call takes.',
  UNSUPPORTED_MEDIA_TYPE: 'The body is not `application/json`.',
  IDEMPOTENCY_MISMATCH: 'This Idempotency-Key was used for another call or payload.',
  INTERNAL: 'Something went wrong in Keyward; the log has it under this request id.',
  OVERLOADED: 'Too much at once; try again after a moment.',
  QUERY_TOO_BROAD: 'The database took too long over this list; narrow its filters.',
  UNAVAILABLE: 'The database cannot be asked; try again after a moment.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof ERRORS;

export interface FieldError {
  /** JSON pointer to the field at fault, with `/body`, `/query`, `/path` or `/headers` in front. */
  pointer: string;
  detail: string;
}

/** An error that the caller is told about. `detail` is written for the caller and holds no secret. */
export class KeywardError extends Error {
  override name = 'KeywardError';
  readonly code: ErrorCode;
  readonly detail: string;
  readonly errors: readonly FieldError[];

  constructor(code: ErrorCode, detail?: string, errors: readonly FieldError[] = []) {
    super(code);
    this.code = code;
    this.detail = detail ?? ERRORS[code];
    this.errors = errors;
  }
}

/** An INVALID_REQUEST that names one field. */
export function invalidField(pointer: string, detail: string): KeywardError {
  return new KeywardError('INVALID_REQUEST', detail, [{ pointer, detail }]);
}
