import type { Operation } from './document.ts';
import type { HttpAnswer } from './http.ts';
import type { FuzzedRequest } from './requests.ts';

const TAIL_LENGTH = 65;
const RUNS = /[0-9A-Za-z]{65,}/g;
const ISSUING = new Set(['createKey', 'rotateKey', 'createManagementKey', 'rotateManagementKey']);
const SIGNING_SECRET = /whsec_[0-9A-Za-z+/=]{20,}/;
const SHOWING_SIGNING_SECRET = new Set(['createWebhook', 'rotateSigningSecret']);
/** Statuses that every call can answer before its body is read; the document does not list them. */
const ANYWHERE = new Set([408, 413, 414, 415, 431]);

interface KnownCodes {
  errors: ReadonlySet<string>;
  verdicts: ReadonlySet<string>;
}

/** Refused before any call is found. */
const OF_NO_CALL = new Set([
  'MALFORMED_HTTP',
  'EXPECTATION_FAILED',
  'HEADERS_TOO_LARGE',
  'REQUEST_TIMEOUT',
]);

/** Checks that hold for every answer. Each returns what is wrong. */
export class Checks {
  readonly #codes: KnownCodes;
  readonly #problemFor: Operation | undefined;
  readonly #tails = new Set<string>();

  constructor(codes: KnownCodes, operations: readonly Operation[]) {
    this.#codes = codes;
    this.#problemFor = operations.find(({ responses }) => responses.get(400));
  }

  /** Adds a key that must not occur in any further answer. */
  addSecret(key: string): void {
    this.#tails.add(key.slice(-TAIL_LENGTH));
  }

  of(request: FuzzedRequest, answer: HttpAnswer): string[] {
    const problems = [...this.#ofStatus(request, answer), ...this.#ofSecrecy(request, answer)];
    if (answer.status >= 400) return [...problems, ...this.#ofError(request, answer)];
    return [...problems, ...ofSuccess(request, answer)];
  }

  /** The known keys in a text. */
  leaksIn(text: string): string[] {
    return (text.match(RUNS) ?? []).flatMap((run) => this.#tailsIn(run));
  }

  #ofStatus({ operation }: FuzzedRequest, { status }: HttpAnswer): string[] {
    if (status >= 500 && status !== 503) return [`answered ${status}`];
    const isDescribed = !operation || operation.responses.has(status) || ANYWHERE.has(status);
    return isDescribed ? [] : [`${status} is not in the document`];
  }

  #ofSecrecy({ operation }: FuzzedRequest, { status, headers, text, body }: HttpAnswer): string[] {
    const issued = operation && ISSUING.has(operation.id) && status < 300 ? keyIn(body) : null;
    const shown = issued === null ? text : text.replace(issued, '');
    const leaks = this.leaksIn(`${shown} ${JSON.stringify(headers)}`);
    if (issued !== null) this.addSecret(issued);
    const problems = leaks.map((tail) => `shows the key …${tail.slice(0, 8)}…`);
    const mayShow = !operation || (SHOWING_SIGNING_SECRET.has(operation.id) && status < 300);
    return mayShow || !hasSigningSecret(text) ? problems : [...problems, 'shows a signing secret'];
  }

  #ofError(request: FuzzedRequest, answer: HttpAnswer): string[] {
    const { status, headers, text, body } = answer;
    const isOfTheParser = text === '' && headers['content-length'] === '0';
    if (isOfTheParser && (status === 400 || status === 431)) return [];
    if (request.method === 'HEAD') return [];
    const type = headers['content-type'] ?? 'nothing';
    if (!type.startsWith('application/problem+json')) return [`an error as ${type}`];
    const problems: string[] = [];
    const check = this.#problemFor?.responses.get(400);
    if (check && !check(body)) problems.push(`no problem: ${JSON.stringify(check.errors)}`);
    const { code, requestId, status: told } = fieldsOf(body);
    if (!this.#isKnown(request, String(code))) problems.push(`an unknown code ${code}`);
    if (!isListed(request, String(code)))
      problems.push(`a code that this call does not list: ${code}`);
    if (requestId !== headers['x-request-id']) problems.push('another request id in the header');
    // A gateway may have requested another status than the actual one, which is in the body.
    if (isToGateway(request) && told !== status) return problems;
    if (told !== status) problems.push(`${status} that says ${told}`);
    if (status === 503 && !headers['retry-after']) problems.push('503 without Retry-After');
    return problems;
  }

  #isKnown(request: FuzzedRequest, code: string): boolean {
    if (this.#codes.errors.has(code)) return true;
    return isToGateway(request) && (this.#codes.verdicts.has(code) || code === 'KEY_MISSING');
  }

  #tailsIn(run: string): string[] {
    const found: string[] = [];
    for (let start = 0; start + TAIL_LENGTH <= run.length; start++) {
      const tail = run.slice(start, start + TAIL_LENGTH);
      if (this.#tails.has(tail)) found.push(tail);
    }
    return found;
  }
}

export function hasSigningSecret(text: string): boolean {
  return SIGNING_SECRET.test(text);
}

function isListed(request: FuzzedRequest, code: string): boolean {
  const listed = request.operation?.codes;
  return !listed || isToGateway(request) || listed.has(code) || OF_NO_CALL.has(code);
}

function isToGateway({ path }: FuzzedRequest): boolean {
  return path.startsWith('/v1/authorize');
}

function ofSuccess({ operation }: FuzzedRequest, { status, body }: HttpAnswer): string[] {
  const check = operation?.responses.get(status);
  if (!check || check(body)) return [];
  return [`${status} does not match its schema: ${JSON.stringify(check.errors)}`];
}

function keyIn(body: unknown): string | null {
  const { key } = fieldsOf(body);
  return typeof key === 'string' ? key : null;
}

function fieldsOf(body: unknown): Record<string, unknown> {
  return typeof body === 'object' && body !== null ? { ...body } : {};
}
