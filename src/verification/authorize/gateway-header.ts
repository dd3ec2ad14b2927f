import { WORKSPACE_ID_PATTERN } from '../../domain/caller.ts';
import { isIpAddress } from '../../domain/ip.ts';
import { REQUIRED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../../domain/scopes.ts';
import { invalidField, type KeywardError } from '../../errors.ts';

/** The one header in which a gateway authenticates itself and says what it asks. */
export const GATEWAY_HEADER = 'x-keyward-authorization';

/**
 * What a gateway asks about its client's key. It stands beside the gateway's own credential, in a
 * header that the gateway always writes, so that a client has no place to write a question in.
 */
export interface GatewayQuestion {
  requiredScopes?: readonly string[];
  requiredAnyScope?: readonly string[];
  resource?: string;
  ip?: string;
  cost?: number;
  workspaceId?: string;
  /** Whether the gateway accepts 200, 401, 403 and 503 alone. */
  mode?: 'nginx';
}

export interface GatewayHeader {
  /** As an `Authorization` header would have it: `Bearer kw_…`. */
  authorization: string;
  /** `name=value` pairs, not parsed yet: the gateway is authenticated before. */
  parameters: readonly string[];
}

type Parser<T> = (value: string) => T | null;
type Name = keyof GatewayQuestion;

const SCOPE = new RegExp(REQUIRED_SCOPE_PATTERN);
const WORKSPACE = new RegExp(WORKSPACE_ID_PATTERN);
const MAX_SCOPES = 50;
const MAX_COST = 1_000_000;

const PARSERS: { [N in Name]: [Parser<NonNullable<GatewayQuestion[N]>>, string] } = {
  requiredScopes: [parseScopes, `1 to ${MAX_SCOPES} scopes, separated by commas or spaces`],
  requiredAnyScope: [parseScopes, `1 to ${MAX_SCOPES} scopes, separated by commas or spaces`],
  resource: [parseResource, 'text of 1 to 256 characters'],
  ip: [(value) => (isIpAddress(value) ? value : null), 'an IPv4 or IPv6 address'],
  cost: [parseCost, `a decimal integer from 0 to ${MAX_COST}`],
  workspaceId: [(value) => (WORKSPACE.test(value) ? value : null), 'a workspace id'],
  mode: [(value) => (value === 'nginx' ? value : null), '`nginx`'],
};

/**
 * Splits the header, such as `Bearer kw_…; requiredScopes=orders:read; resource=project:alpha`.
 * `resource` comes last and takes the rest, so that what a client may have had a hand in cannot add
 * a parameter. Null if there is no credential.
 */
export function splitGatewayHeader(header: string): GatewayHeader | null {
  const [, head = '', resource] = /^(.*?)(?:;\s*resource=(.*))?$/s.exec(header) ?? [];
  const [authorization = '', ...parameters] = head.split(';').map((part) => part.trim());
  if (!/^Bearer +[^\s]+$/i.test(authorization)) return null;
  return {
    authorization,
    parameters: resource === undefined ? parameters : [...parameters, `resource=${resource}`],
  };
}

/** Whether the gateway asks for nginx' statuses; read even if another parameter is wrong. */
export function isForNginx({ parameters }: GatewayHeader): boolean {
  return parameters.includes('mode=nginx');
}

/** Whatever is misspelt, repeated or empty is the gateway's mistake: ignoring it would open a door. */
export function parseGatewayQuestion({ parameters }: GatewayHeader): GatewayQuestion {
  const question: GatewayQuestion = {};
  for (const parameter of parameters) {
    const [name, value] = splitParameter(parameter);
    if (name in question) throw invalidParameter(name, 'is given twice');
    set(question, name, value);
  }
  return question;
}

function splitParameter(parameter: string): [Name, string] {
  const equals = parameter.indexOf('=');
  const name = parameter.slice(0, equals).trim();
  if (equals === -1 || !isName(name)) {
    const known = Object.keys(PARSERS).join(', ');
    throw invalidParameter(parameter.slice(0, 64), `is not a parameter; known are ${known}`);
  }
  return [name, parameter.slice(equals + 1).trim()];
}

function isName(name: string): name is Name {
  return Object.hasOwn(PARSERS, name);
}

function set<N extends Name>(question: GatewayQuestion, name: N, value: string): void {
  const [parse, expected] = PARSERS[name];
  const parsed = parse(value);
  if (parsed === null) throw invalidParameter(name, `must be ${expected}`);
  question[name] = parsed;
}

function invalidParameter(name: string, detail: string): KeywardError {
  return invalidField(`/headers/${GATEWAY_HEADER}`, `${JSON.stringify(name)} ${detail}`);
}

function parseScopes(value: string): string[] | null {
  const scopes = value.split(/[\s,]+/).filter((scope) => scope !== '');
  const isValid = (scope: string) => SCOPE.test(scope) && scope.length <= SCOPE_MAX_LENGTH;
  return scopes.length > 0 && scopes.length <= MAX_SCOPES && scopes.every(isValid) ? scopes : null;
}

function parseResource(value: string): string | null {
  return value.trim() !== '' && value.length <= 256 ? value : null;
}

function parseCost(value: string): number | null {
  const cost = /^(0|[1-9]\d{0,6})$/.test(value) ? Number(value) : Number.NaN;
  return cost <= MAX_COST ? cost : null;
}
