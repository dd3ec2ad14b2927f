import { STATUS_CODES } from 'node:http';

/** Every error that a caller can meet: its HTTP status and what it means. Codes never change. */
export const PROBLEMS = {
  INVALID_REQUEST: [400, 'The request does not match what this call takes; see `errors`.'],
  MALFORMED_JSON: [400, 'The body is not valid JSON.'],
  INVALID_CURSOR: [400, 'The cursor is not one that this list with this sort gave.'],
  CONTAINS_KEY: [400, 'A text that would be stored contains an API key.'],
  KEY_WITH_SCHEME: [400, '`key` starts with an authorization scheme such as `Bearer`.'],
  UNAUTHENTICATED: [401, 'No management key, or not a valid one.'],
  FORBIDDEN: [403, 'The management key lacks the permission for this call.'],
  NOT_FOUND: [404, 'No such thing, or not in this workspace.'],
  ROUTE_NOT_FOUND: [404, 'No such call.'],
  METHOD_NOT_ALLOWED: [405, 'This path does not take this method.'],
  REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
  KEY_REVOKED: [409, 'The key is revoked, which is final.'],
  BODY_TOO_LARGE: [413, 'The body is larger than this call takes.'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'The body is not `application/json`.'],
  INTERNAL: [500, 'Something went wrong in Keyward; the log has it under this request id.'],
  OVERLOADED: [503, 'Too much at once; try again after a moment.'],
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
