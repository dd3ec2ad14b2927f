import createClient, { type Middleware } from 'openapi-fetch';
import type { Paths, Problem } from './api-types.ts';
import { expire, session } from './session.ts';

const inSession: Middleware = {
  onRequest({ request }) {
    request.headers.set('Keyward-Console', session.value?.id ?? '');
  },
  onResponse({ response }) {
    if (response.status === 401) expire();
  },
};

/** The API, as its OpenAPI document describes it, in the session of the reader. */
export const api = createClient<Paths>({
  baseUrl: '/console/api',
});
api.use(inSession);

/** Why a call was refused: a problem of the API, or that it was not reached. */
export class ApiError extends Error {
  readonly problem: Problem;
  readonly status: number;

  constructor(problem: Problem, status: number) {
    super(problem.detail || problem.title);
    this.problem = problem;
    this.status = status;
  }

  static unexpected(): ApiError {
    const detail = 'Reload the page and try again.';
    return new ApiError({ ...EMPTY, title: 'Something went wrong on this page', detail }, 0);
  }

  /** What is wrong with a field of the body, by its JSON pointer such as `/body/name`. */
  faultOf(pointer: string): string | undefined {
    return this.problem.errors?.find((error) => error.pointer === pointer)?.detail;
  }
}

interface Result<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** The answer of a call; throws an ApiError if it is refused. */
export async function answerOf<Data>(call: Promise<Result<Data>>): Promise<NonNullable<Data>> {
  const { data, error, response } = await call.catch(unreachable);
  if (data !== undefined && data !== null) return data;
  throw new ApiError(isProblem(error) ? error : unknownProblem(response), response.status);
}

/** The same of a call without an answer. */
export async function done(call: Promise<Result<unknown>>): Promise<void> {
  const { error, response } = await call.catch(unreachable);
  if (!response.ok) {
    throw new ApiError(isProblem(error) ? error : unknownProblem(response), response.status);
  }
}

function unreachable(): never {
  const detail = 'Keyward was not reached. Check that it runs, then try again.';
  throw new ApiError({ ...EMPTY, title: 'Not reached', detail }, 0);
}

const EMPTY: Problem = {
  type: 'about:blank',
  title: '',
  status: 0,
  code: 'INTERNAL',
  detail: '',
  errors: [],
  requestId: '',
};

function unknownProblem({ status, statusText }: Response): Problem {
  return { ...EMPTY, status, title: statusText || `Status ${status}` };
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value && 'title' in value;
}
