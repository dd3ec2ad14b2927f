import { openapiDocument } from '../../openapi/document.ts';
import type { Answer } from './instance.ts';

interface Documented {
  operationId: string;
  parameters?: readonly { $ref?: string }[];
  'x-error-codes'?: readonly string[];
  responses: Record<string, { $ref?: string; headers?: object }>;
}

interface Document {
  paths?: Record<string, Record<string, Documented>>;
  components?: {
    responses?: Record<string, { headers?: object }>;
    parameters?: Record<string, { name: string }>;
  };
}

/** The headers of answers that the document must name wherever a call sends them. */
const NAMED = [
  'etag',
  'location',
  'retry-after',
  'idempotent-replayed',
  'www-authenticate',
  'ratelimit',
  'ratelimit-policy',
  'x-keyward-code',
  'x-keyward-status',
  'x-keyward-owner',
];

const document: Document = { ...(await openapiDocument()) };
const routes = Object.entries(document.paths ?? {}).map(([path, operations]) => ({
  pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  operations,
}));

/** The call that the document has for this method and URL. */
function operationOf(method: string, url: string): Documented | undefined {
  const path = url.split('?', 1)[0] ?? '';
  const found = routes.filter(({ pattern }) => pattern.test(path));
  // A literal path such as /v1/keys/import comes before one with a parameter.
  found.sort((a, b) => a.pattern.source.length - b.pattern.source.length);
  return found.map(({ operations }) => operations[method.toLowerCase()]).find(Boolean);
}

/** Fails if a call answers with an error or a header that the document does not list for it. */
export function requireDocumented(method: string, url: string, answer: Answer): void {
  const operation = operationOf(method, url);
  const codes = operation?.['x-error-codes'];
  if (!operation || !codes) return;
  const { status, headers, body } = answer;
  const said = `${operation.operationId} answers ${status}`;
  // A gateway's verdicts are problems too, and their codes are those of verify.
  const isVerdict = operation.operationId === 'authorize';
  if (status >= 400 && !isVerdict && !codes.includes(body?.code)) {
    throw new Error(`${said} ${body?.code}, which its route does not list`);
  }
  const documented = operation.responses[status];
  if (!documented) throw new Error(`${said}, which its route does not list`);
  const missing = NAMED.filter((name) => name in headers && !namesOf(documented).has(name));
  if (missing.length > 0) throw new Error(`${said} with ${missing}, which no header names`);
}

/** The headers that the document has for a call: those that it takes, and those of its answer. */
export function documentedHeaders(operationId: string, status: number) {
  const operations = routes.flatMap((route) => Object.values(route.operations));
  const operation = operations.find((each) => each.operationId === operationId);
  if (!operation) throw new Error(`the document has no ${operationId}`);
  const shared = document.components?.parameters ?? {};
  const taken = (operation.parameters ?? []).map(({ $ref = '' }) => shared[lastOf($ref)]?.name);
  return {
    taken: new Set(taken.map((name) => name?.toLowerCase())),
    answered: namesOf(operation.responses[status] ?? {}),
  };
}

function namesOf({ $ref, headers }: Documented['responses'][string]): Set<string> {
  const shared = document.components?.responses?.[lastOf($ref ?? '')];
  const names = Object.keys({ ...shared?.headers, ...headers });
  return new Set(names.map((name) => name.toLowerCase()));
}

function lastOf(ref: string): string {
  return ref.split('/').at(-1) ?? '';
}
