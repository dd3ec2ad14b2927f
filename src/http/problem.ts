import { STATUS_CODES } from 'node:http';
import type { Json } from '../domain/json.ts';

/** Every error that a caller can meet: its HTTP status and what it means. Codes never change. */
export const PROBLEMS = {
  INVALID_REQUEST: [400, 'The request does not match what this call takes; see `errors`.'],
  MALFORMED_JSON: [400, 'The body is not valid JSON.'],
  INVALID_CURSOR: [400, 'The cursor is not one that this list with this sort gave.'],
  CONTAINS_KEY: [400, 'A text that would be stored contains an API key.'],
  KEY_WITH_SCHEME: [400, '`key` starts with an authorization scheme such as `Bearer`.'],
  UNAUTHENTICATED: [401, 'Send a valid management key: `Authorization: Bearer <management key>`.'],
  GATEWAY_UNAUTHENTICATED: [
    401,
    'The gateway must send `X-Keyward-Authorization: Bearer <management key>`.',
  ],
  FORBIDDEN: [403, 'The management key lacks the permission for this call.'],
  UPGRADE_REQUIRED: [403, 'The workspace has no API access; its existing keys go on working.'],
  NOT_FOUND: [404, 'No such thing, or not in this workspace.'],
  ROUTE_NOT_FOUND: [404, 'No such call.'],
  METHOD_NOT_ALLOWED: [405, 'This path does not take this method.'],
  REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
  KEY_REVOKED: [409, 'The key is revoked, which is final.'],
  KEY_EXPIRED: [409, 'The key has expired; extend it first.'],
  KEY_IMMUTABLE: [409, "The workspace does not let this field change after the key's creation."],
  KEY_LIMIT_REACHED: [409, 'The workspace has as many active keys as it may have.'],
  CREDITS_UNLIMITED: [409, 'The credits of this key are not limited; set `credits` first.'],
  ROTATION_UNDER_WAY: [409, 'A rotation is under way; end its grace, or send `supersede: true`.'],
  DEFAULT_WORKSPACE: [409, 'The workspace `default` cannot be deleted.'],
  TOO_MANY_KEYS: [409, 'More keys match than one call may revoke; narrow the filter.'],
  IDEMPOTENCY_IN_FLIGHT: [409, 'The first call with this Idempotency-Key is still under way.'],
  PRECONDITION_FAILED: [412, 'It has changed since: read it again and compare (`If-Match`).'],
  BODY_TOO_LARGE: [413, 'The body is larger than this call takes.'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'The body is not `application/json`.'],
  IDEMPOTENCY_MISMATCH: [422, 'This Idempotency-Key was used for another call or payload.'],
  INTERNAL: [500, 'Something went wrong in Keyward; the log has it under this request id.'],
  OVERLOADED: [503, 'Too much at once; try again after a moment.'],
  QUERY_TOO_BROAD: [503, 'The database took too long over this list; narrow its filters.'],
  UNAVAILABLE: [503, 'The database cannot be asked; try again after a moment.'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

export interface FieldError {
  /** JSON pointer to the field at fault, with `/body`, `/query`, `/path` or `/headers` in front. */
  pointer: string;
  detail: string;
}

/** An answer that is not the wished-for one. `detail` is for the caller and holds no secret. */
export class Problem extends Error {
  override name = 'Problem';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: readonly FieldError[];

  constructor(code: ProblemCode, detail?: string, errors: readonly FieldError[] = []) {
    super(code);
    this.code = code;
    this.detail = detail ?? PROBLEMS[code][1];
    this.errors = errors;
  }

  get status(): number {
    return PROBLEMS[this.code][0];
  }
}

const BEARER = /^Bearer +([^ ]+)$/i;

/** The credential in an `Authorization: Bearer` header (RFC 6750), or null. */
export function bearerOf(authorization: string | undefined): string | null {
  return BEARER.exec(authorization ?? '')?.[1] ?? null;
}

/** The answer of a call that is kept for its repetitions; a key string is null in it. */
export interface StoredAnswer {
  status: number;
  etag: string | null;
  body: Json;
}

/** Ends a repeated call (`Idempotency-Key`): the stored answer is sent instead of acting again. */
export class ReplayedAnswer extends Error {
  override name = 'ReplayedAnswer';
  readonly answer: StoredAnswer;

  constructor(answer: StoredAnswer) {
    super('replayed');
    this.answer = answer;
  }
}

/** A 400 that names one field. */
export function invalid(pointer: string, detail: string): Problem {
  return new Problem('INVALID_REQUEST', detail, [{ pointer, detail }]);
}

/** RFC 9457. */
export function problemBody(problem: Problem, requestId: string) {
  return {
    type: 'about:blank',
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    code: problem.code,
    detail: problem.detail,
    errors: problem.errors,
    requestId,
  };
}
