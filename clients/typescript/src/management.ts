import createClient, { type Client } from 'openapi-fetch';
import { Deadline } from './deadline.ts';
import type { KeywardError } from './error.ts';
import { type Answer, exchange, type Fetch, problemOf } from './exchange.ts';
import type { components, paths } from './openapi.ts';
import { isSurelyUnasked, isTransient, retrying } from './retry.ts';

export type ManagementApi = Client<paths>;

export interface ManagementSettings {
  url: string;
  authorization: string;
  fetch: Fetch;
  managementTimeoutMs: number;
  retries: number;
}

/** Every call of Keyward, typed. Changes have an Idempotency-Key, so that attempts act once. */
export function managementApi(settings: ManagementSettings): ManagementApi {
  return createClient<paths>({
    baseUrl: settings.url,
    headers: { authorization: settings.authorization },
    fetch: (request) => send(request, settings),
  });
}

async function send(request: Request, settings: ManagementSettings): Promise<Response> {
  const { url, method } = request;
  const isVerification = VERIFICATIONS.test(new URL(url).pathname);
  const headers = headersOf(request, isVerification);
  const body = request.body === null ? null : await request.text();
  const deadline = new Deadline(settings.managementTimeoutMs, request.signal);
  const { signal } = deadline;
  const refused: { answer: Answer | null; problem: KeywardError | null } = {
    answer: null,
    problem: null,
  };
  const attempt = async () => {
    const answer = await exchange(settings.fetch, { url, method, headers, body, signal });
    if (answer.status < 400) return answer;
    Object.assign(refused, { answer, problem: problemOf(answer) });
    throw refused.problem;
  };
  const mayRepeat = isVerification ? isSurelyUnasked : mayRepeatCall;
  try {
    return responseOf(await retrying(attempt, { retries: settings.retries, mayRepeat, deadline }));
  } catch (error) {
    if (refused.answer !== null && error === refused.problem) return responseOf(refused.answer);
    throw error;
  } finally {
    deadline.release();
  }
}

/** Each of these counts and may spend, whatever its method, and no Idempotency-Key holds it back. */
const VERIFICATIONS = /\/v1\/(verify(\/batch)?|introspect|authorize(\/.*)?)$/;

/** What changes something has a key that is the same in each attempt. */
function headersOf({ method, headers }: Request, isVerification: boolean): Headers {
  const own = new Headers(headers);
  const isReading = method === 'GET' || method === 'HEAD';
  if (isReading || isVerification || own.has('idempotency-key')) return own;
  own.set('idempotency-key', crypto.randomUUID());
  return own;
}

/** The first attempt of the same change may be at work still. */
function mayRepeatCall(error: KeywardError): boolean {
  return isTransient(error) || error.code === 'IDEMPOTENCY_IN_FLIGHT';
}

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 304]);

function responseOf({ status, headers, text }: Answer): Response {
  return new Response(WITHOUT_BODY.has(status) ? null : text, { status, headers });
}

interface Success<Data> {
  data: Data;
  response: Response;
}

type Result<Data> = Success<Data> | { data?: never; error: unknown; response: Response };

/** The data of a call of `keyward.api`; a refusal is thrown as a KeywardError. */
export async function dataOf<Data>(call: Promise<Result<Data>>): Promise<Data> {
  const result = await call;
  if (isSuccess(result)) return result.data;
  const { error, response } = result;
  throw problemOf({ ...headOf(response), text: JSON.stringify(error ?? null) });
}

function headOf({ status, headers }: Response) {
  return { status, headers };
}

function isSuccess<Data>(result: Result<Data>): result is Success<Data> {
  return result.response.ok;
}

export type Schemas = components['schemas'];
