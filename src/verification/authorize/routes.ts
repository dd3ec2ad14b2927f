import { METHODS } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { requirePermission } from '../../call-context.ts';
import { bearerToken } from '../../domain/bearer-token.ts';
import type { Caller, PresentedCaller } from '../../domain/caller.ts';
import { KeywardError } from '../../errors.ts';
import type { Admission } from '../../http/admission.ts';
import type { App } from '../../http/app-type.ts';
import type { CallerDependencies } from '../../http/caller-at-headers.ts';
import { toProblem } from '../../http/error-handler.ts';
import { statusOf } from '../../http/problem.ts';
import type { RequestRates } from '../../http/request-rates.ts';
import { verificationCaller } from '../caller.ts';
import type { Verifier } from '../verifier.ts';
import { sendMissingKey, sendVerification } from './answers.ts';
import {
  GATEWAY_HEADER,
  type GatewayHeader,
  isForNginx,
  parseGatewayQuestion,
  splitGatewayHeader,
} from './gateway-header.ts';
import { authorizeSchema, type GatewayQuestion } from './schemas.ts';

export interface AuthorizeDependencies extends CallerDependencies {
  verifier: Verifier;
  admission: Admission;
  /** A header of the operator's choice that may hold the customer's key. */
  keyHeader: string | undefined;
  now: () => number;
}

/** A tunnel (CONNECT) has no path. */
const OTHER_METHODS = METHODS.filter((method) => method !== 'GET' && method !== 'CONNECT');
const GATEWAY_FAULTS: ReadonlySet<unknown> = new Set(['GATEWAY_UNAUTHENTICATED', 'FORBIDDEN']);

/** Verdicts for gateways, by status and headers, whatever the method, the path and the body. */
export function authorizeRoutes(app: App, deps: AuthorizeDependencies): void {
  for (const method of OTHER_METHODS) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  }
  const route = {
    // Answered before the body is read: it is the client's, of any size and type.
    onRequest: (request: FastifyRequest, reply: FastifyReply) => authorize(deps, request, reply),
    errorHandler: nameProblem,
    config: { logSampled: true, place: 'own' as const },
    onSend: settleStatus,
    validatorCompiler: () => () => true,
    exposeHeadRoute: false,
    handler: unreachable,
  };
  app.route({ ...route, method: 'GET', url: '/v1/authorize', schema: authorizeSchema });
  const hidden = { ...route, schema: { hide: true } };
  app.route({ ...hidden, method: OTHER_METHODS, url: '/v1/authorize' });
}

/** What gateways append is the client's: it is cut off unread, whatever it is encoded in. */
export function withoutGatewayPath(url: string): string {
  return /^\/v1\/authorize[/?#]/.test(url) ? '/v1/authorize' : url;
}

async function authorize(
  { verifier, admission, present, rates, keyHeader, now }: AuthorizeDependencies,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const [gateway, ...others] = gatewayHeaders(request);
  // With several values nobody can tell which one the gateway wrote.
  if (!gateway || others.length > 0) throw new KeywardError('GATEWAY_UNAUTHENTICATED');
  const question = attempt(() => parseGatewayQuestion(gateway));
  const requested = question instanceof KeywardError ? undefined : question.workspaceId;
  // Only gateways take a place: one that memory knows at once, others when identified.
  const caller = asGateway(present(gateway.authorization));
  admission.takePlace(
    (recognized(caller, rates) ?? (await admitted(caller, rates))).group,
    reply.raw,
  );
  const presented = presentedKey(request, keyHeader);
  // The gateway is authenticated before its question is judged: outsiders learn nothing of it.
  if (question instanceof KeywardError || presented.key === null)
    await verifier.countUse(verificationCaller(await caller.identify(), requested));
  if (question instanceof KeywardError) throw question;
  const options = { forNginx: isForNginx(gateway), now: now() };
  if (presented.key === null) return sendMissingKey(request, reply, presented.reason, options);
  const asked = { key: presented.key, ...question, ...clientOf(request) };
  const verification = await verifier.verify(asked, caller);
  return sendVerification(request, reply, verification, options);
}

/** What gateways pass on of their client, who has written it: it decides nothing. */
function clientOf({ headers }: FastifyRequest) {
  const userAgent = headers['user-agent'];
  return userAgent === undefined ? {} : { userAgent };
}

function gatewayHeaders({ raw }: FastifyRequest): GatewayHeader[] {
  return headerValues(raw.rawHeaders, GATEWAY_HEADER).map(splitGatewayHeader);
}

function attempt(parse: () => GatewayQuestion): GatewayQuestion | KeywardError {
  try {
    return parse();
  } catch (error) {
    if (error instanceof KeywardError) return error;
    throw error;
  }
}

function asGateway({ recall, identify }: PresentedCaller): PresentedCaller {
  return { recall, identify: () => identify().catch(refuseGateway) };
}

/** A gateway that memory would let in. */
function recognized(gateway: PresentedCaller, rates: RequestRates): Caller | null {
  const known = gateway.recall()?.caller;
  return known?.permissions.has('keys:verify') && rates.admits(known) ? known : null;
}

async function admitted(gateway: PresentedCaller, rates: RequestRates): Promise<Caller> {
  const { caller } = await gateway.identify();
  requirePermission(caller, 'keys:verify');
  rates.take(caller);
  return caller;
}

/** Told apart from a client's own 401, so that operators see whose credential is wrong. */
function refuseGateway(error: unknown): never {
  const isUnauthenticated = error instanceof KeywardError && error.code === 'UNAUTHENTICATED';
  throw isUnauthenticated ? new KeywardError('GATEWAY_UNAUTHENTICATED') : error;
}

type PresentedKey = { key: string } | { key: null; reason: 'KEY_MISSING' | 'KEY_AMBIGUOUS' };

/** The most specific place first: `Authorization` may hold something else beside a key. */
function presentedKey({ raw }: FastifyRequest, keyHeader: string | undefined): PresentedKey {
  for (const name of [keyHeader, 'x-api-key', 'authorization']) {
    const values = name === undefined ? [] : headerValues(raw.rawHeaders, name);
    if (values.length > 1) return { key: null, reason: 'KEY_AMBIGUOUS' };
    const [value] = values;
    const key = name === 'authorization' ? bearerToken(value) : value;
    if (key) return { key };
  }
  return { key: null, reason: 'KEY_MISSING' };
}

/** The different values that a header has, without empty ones. */
function headerValues(rawHeaders: readonly string[], name: string): string[] {
  const values = rawHeaders.filter(
    (value, i) => i % 2 === 1 && value !== '' && rawHeaders[i - 1]?.toLowerCase() === name,
  );
  return [...new Set(values)];
}

/** A problem carries its code in a header too, then is handled like every error. */
function nameProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply): never {
  const problem = toProblem(error, request);
  reply.headers({ 'x-keyward-code': problem.code, 'x-keyward-status': statusOf(problem) });
  throw error;
}

/** To nginx, 401 and 403 are its client's fault: what is not the client's fault becomes 503. */
async function settleStatus(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const isForClient = [200, 401, 403].includes(reply.statusCode);
  if (isForClient && !GATEWAY_FAULTS.has(reply.getHeader('x-keyward-code'))) return;
  if (!gatewayHeaders(request).some(isForNginx)) return;
  reply.status(503).header('x-keyward-status', 503);
}

function unreachable(): never {
  throw new Error('the onRequest hook has answered');
}
