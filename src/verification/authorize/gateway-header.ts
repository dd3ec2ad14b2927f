import { copyOf } from '../../domain/client-context.ts';
import { type KeywardError, refusedFields } from '../../errors.ts';
import { parserOf } from '../../http/validation/parsers.ts';
import { GatewayQuestion } from './schemas.ts';

/** The one header in which a gateway authenticates itself and says what it asks. */
export const GATEWAY_HEADER = 'x-keyward-authorization';

const POINTER = `/headers/${GATEWAY_HEADER}`;
const NAMES = Object.keys(GatewayQuestion.properties);
const parseQuestion = parserOf(GatewayQuestion);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The header in its parts, which are not checked before the gateway is authenticated. */
export interface GatewayHeader {
  /** What an `Authorization` header would contain: `Bearer kw_…`. */
  authorization: string;
  /** `name=value` pairs, in order. */
  parameters: readonly string[];
}

/**
 * Splits the header, such as `Bearer kw_…; requiredScopes=orders:read; resource=project:alpha`.
 * `resource` comes last and takes the rest, so that a value which a client influences cannot add a
 * parameter.
 */
export function splitGatewayHeader(header: string): GatewayHeader {
  const [, head = '', resource] = /^(.*?)(?:;\s*resource=(.*))?$/s.exec(header) ?? [];
  const [authorization = '', ...parameters] = head.split(';').map((part) => part.trim());
  if (resource !== undefined) parameters.push(`resource=${resource}`);
  return { authorization, parameters };
}

/** Whether nginx asks, which accepts few statuses; known even if another parameter is not valid. */
export function isForNginx({ parameters }: GatewayHeader): boolean {
  return parameters.includes('mode=nginx');
}

/** Refuses what is misspelt, repeated or empty: ignoring it would leave a door open. */
export function parseGatewayQuestion({ parameters }: GatewayHeader): GatewayQuestion {
  const values = new Map<string, unknown>();
  for (const parameter of parameters) {
    const [name, value] = splitParameter(parameter);
    if (values.has(name)) throw invalidParameters([`${name}: is given twice`]);
    values.set(name, readValue(name, value));
  }
  const parsed = parseQuestion(Object.fromEntries(values));
  if ('value' in parsed) return parsed.value;
  throw invalidParameters(
    parsed.errors.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`),
  );
}

function splitParameter(parameter: string): [name: string, value: string] {
  const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(parameter) ?? [];
  if (NAMES.includes(name)) return [name, value];
  // Quoted only if it looks like a name: it could be a credential in the wrong place.
  const shown = /^[A-Za-z]{1,24}$/.test(name) ? name : 'a parameter';
  throw invalidParameters([`${shown}: is not one of ${NAMES.join(', ')}`]);
}

/** What cannot be read stays text, or becomes null, which the schema refuses. */
function readValue(name: string, value: string): unknown {
  switch (name) {
    case 'requiredScopes':
    case 'requiredAnyScope':
      return value.split(',');
    case 'cost':
      return /^(0|[1-9]\d{0,8})$/.test(value) ? Number(value) : value;
    case 'ip':
      // Kept for a moment with the usage of the key, without the rest of the header.
      return copyOf(value);
    case 'resource':
      return decodeUtf8(value);
    default:
      return value;
  }
}

/** Node.js hands out the bytes of headers as Latin-1. Null if they are not UTF-8. */
function decodeUtf8(latin1: string): string | null {
  try {
    return utf8.decode(Buffer.from(latin1, 'latin1'));
  } catch {
    return null;
  }
}

function invalidParameters(details: readonly string[]): KeywardError {
  const errors = details.map((detail) => ({ pointer: POINTER, detail }));
  return refusedFields('INVALID_REQUEST', errors);
}
