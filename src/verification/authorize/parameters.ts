import type { FastifyRequest } from 'fastify';
import type { AccessRequest } from '../../domain/decide.ts';
import { isIpAddress } from '../../domain/ip.ts';
import { REQUIRED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../../domain/scopes.ts';
import { invalidField, KeywardError } from '../../errors.ts';

/**
 * What a gateway asks about a key. A client's query and headers often come along with the
 * gateway's own, and nothing tells them apart, so by default whatever is said anywhere must hold:
 * more words can only make the answer stricter. What could make it milder (an address, a named
 * resource where one is required, a cost below 1) counts only from the place of which the gateway
 * says, in the one header that no client can write, that it writes all of it: `from`.
 */
export interface Parameters extends AccessRequest {
  workspaceId?: string;
  cost?: number;
}

/** The place that the gateway says it writes entirely; null: none. */
type Source = 'query' | 'headers' | null;

export interface GatewayCredential {
  authorization: string;
  from: Source;
}

/** One value, and where it stands in the request. */
interface ParameterValue {
  value: string;
  pointer: string;
}

type Name = 'requiredScopes' | 'requiredAnyScope' | 'resource' | 'ip' | 'cost' | 'workspaceId';

/** The names in the query are those of `POST /v1/verify`. */
export const PARAMETER_HEADERS: Readonly<Record<Name, string>> = {
  requiredScopes: 'x-keyward-required-scopes',
  requiredAnyScope: 'x-keyward-required-any-scope',
  resource: 'x-keyward-resource',
  ip: 'x-keyward-ip',
  cost: 'x-keyward-cost',
  workspaceId: 'x-keyward-workspace-id',
};

const CREDENTIAL = /^(Bearer +[^\s;]+)(?: *; *from=(query|headers))? *$/i;
const SCOPE = new RegExp(REQUIRED_SCOPE_PATTERN);
const WORKSPACE_ID = /^[A-Za-z0-9._-]{1,64}$/;
const MAX_SCOPES = 50;
const MAX_RESOURCE_LENGTH = 256;
const MAX_COST = 1_000_000;
const DEFAULT_COST = 1;

/** The gateway's own credential, such as `Bearer kw_…; from=query`. */
export function parseGatewayCredential({ headers }: FastifyRequest): GatewayCredential {
  const match = CREDENTIAL.exec(String(headers['x-keyward-authorization'] ?? ''));
  if (!match?.[1]) throw new KeywardError('GATEWAY_UNAUTHENTICATED');
  const from = match[2]?.toLowerCase();
  return { authorization: match[1], from: from === 'query' || from === 'headers' ? from : null };
}

/** Whether the gateway takes 200, 401 and 403 alone. Makes no answer milder, so anyone may say it. */
export function isForNginx({ query, headers }: FastifyRequest): boolean {
  return queryValues(query, 'mode').includes('nginx') || headers['x-keyward-mode'] === 'nginx';
}

export function parseParameters(request: FastifyRequest, from: Source): Parameters {
  const values = (name: Name) => valuesOfParameter(request, name, from);
  const parameters: Parameters = {
    requiredScopes: values('requiredScopes').flatMap(parseScopes),
    requiredAnyScope: singleValue(values('requiredAnyScope'), parseScopes) ?? [],
    cost: effectiveCost(values('cost'), from),
  };
  const workspaceId = singleValue(values('workspaceId'), parseWorkspaceId);
  if (workspaceId !== undefined) parameters.workspaceId = workspaceId;
  const resource = singleValue(values('resource'), parseResource);
  if (resource !== undefined) parameters[from ? 'resource' : 'untrustedResource'] = resource;
  const ip = from ? singleValue(values('ip'), parseIp) : undefined;
  if (ip !== undefined) parameters.ip = ip;
  return parameters;
}

function valuesOfParameter(request: FastifyRequest, name: Name, from: Source): ParameterValue[] {
  const header = PARAMETER_HEADERS[name];
  const inQuery = from === 'headers' ? [] : queryValues(request.query, name);
  const inHeaders = from === 'query' ? [] : headerLines(request.raw.rawHeaders, header);
  return [
    ...inQuery.map((value) => ({ value, pointer: `/query/${name}` })),
    ...inHeaders.map((value) => ({ value, pointer: `/headers/${header}` })),
  ];
}

function queryValues(query: unknown, name: string): string[] {
  if (typeof query !== 'object' || query === null) return [];
  const value: unknown = Object.entries(query).find(([own]) => own === name)?.[1];
  return [value].flat().filter((one) => typeof one === 'string');
}

/** Each line of a repeated header on its own; Node would join them into one value. */
function headerLines(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
}

/** The value, however often it is repeated; two different ones are refused. */
function singleValue<T>(
  values: readonly ParameterValue[],
  read: (one: ParameterValue) => T,
): T | undefined {
  const [first, ...others] = values;
  if (!first) return undefined;
  const other = others.find(({ value }) => value !== first.value);
  if (other) throw invalidField(other.pointer, 'is given twice, with different values');
  return read(first);
}

/** An empty list is refused: an unset variable in a gateway's configuration must not open it. */
function parseScopes({ value, pointer }: ParameterValue): string[] {
  const scopes = value.split(/[\s,]+/).filter((scope) => scope !== '');
  const fit = scopes.every((scope) => SCOPE.test(scope) && scope.length <= SCOPE_MAX_LENGTH);
  if (fit && scopes.length > 0 && scopes.length <= MAX_SCOPES) return scopes;
  throw invalidField(pointer, `must be 1 to ${MAX_SCOPES} scopes, separated by commas or spaces`);
}

function parseResource({ value, pointer }: ParameterValue): string {
  if (value.trim() !== '' && value.length <= MAX_RESOURCE_LENGTH) return value;
  throw invalidField(pointer, `must be a text of 1 to ${MAX_RESOURCE_LENGTH} characters`);
}

function parseIp({ value, pointer }: ParameterValue): string {
  if (isIpAddress(value)) return value;
  throw invalidField(pointer, 'must be an IPv4 or IPv6 address such as 203.0.113.7 or 2001:db8::1');
}

function parseWorkspaceId({ value, pointer }: ParameterValue): string {
  if (WORKSPACE_ID.test(value)) return value;
  throw invalidField(pointer, 'must be the identifier of a workspace');
}

function parseCost({ value, pointer }: ParameterValue): number {
  const cost = /^\d{1,7}$/.test(value) ? Number(value) : Number.NaN;
  if (cost <= MAX_COST) return cost;
  throw invalidField(pointer, `must be a whole number from 0 to ${MAX_COST}`);
}

/** Where nobody vouches for it, the highest that anyone says, and never less than the usual 1. */
function effectiveCost(values: readonly ParameterValue[], from: Source): number {
  return from
    ? (singleValue(values, parseCost) ?? DEFAULT_COST)
    : Math.max(DEFAULT_COST, ...values.map(parseCost));
}
