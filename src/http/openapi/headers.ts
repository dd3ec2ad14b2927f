import type { ErrorCode } from '../../errors.ts';

const text = (description: string, example: string, schema: object = {}) => ({
  description,
  // Not beside the schema: /docs would send it with each call that is tried out.
  schema: { type: 'string', ...schema, examples: [example] },
});

/** The headers of answers, each described once. */
export const HEADERS = {
  'X-Request-Id': text('Request id, which identifies the call in the log.', 'req_4fQ2-1a'),
  ETag: text(
    'Entity tag of what calls have set, for `If-Match`: it stays when time passes or a key is used.',
    '"3"',
  ),
  Location: text('Path of what was created.', '/v1/keys/key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'),
  'Idempotent-Replayed': text(
    '`true` if this repeats the answer of an earlier call with the same Idempotency-Key.',
    'true',
  ),
  'Retry-After': text('Seconds to wait before the next attempt.', '1'),
  'WWW-Authenticate': text('Scheme of the credential that is missing.', 'Bearer realm="keyward"'),
};
export type HeaderName = keyof typeof HEADERS;

const parameter = (name: string, description: string, example: string, schema: object) => ({
  name,
  in: 'header',
  required: false,
  ...text(description, example, schema),
});

/** The headers of requests, by the name that they have in the document. */
export const PARAMETERS = {
  IdempotencyKey: parameter(
    'Idempotency-Key',
    'Value of your own choice that names this call: sent again with the same key and payload, it ' +
      'gets the stored answer and changes nothing.',
    '0f4c6a7e-create-ci-key',
    { minLength: 1, maxLength: 130 },
  ),
  KeywardActor: parameter(
    'Keyward-Actor',
    'On whose behalf the call is made, in visible ASCII and inner spaces; kept in the audit log.',
    'user:42',
    { minLength: 1, maxLength: 128 },
  ),
  IfMatch: parameter(
    'If-Match',
    'Entity tag that the resource must still have, as `ETag` gave it; else 412.',
    '*',
    {},
  ),
  IfNoneMatch: parameter(
    'If-None-Match',
    'Entity tag of what you have already; 304 if the resource still has it.',
    '"0"',
    {},
  ),
  IfNew: parameter('If-None-Match', '`*`: only if nothing is there yet; else 412.', '*', {}),
};
type ParameterName = keyof typeof PARAMETERS;

/** The answers that show the state of one resource, and so have an entity tag. */
const VERSIONED =
  /"#\/components\/schemas\/(Issued|Revoked)?(Key|ManagementKey|Webhook|Workspace)"/;

/** Of these, what nothing but a change alters: the same entity tag is the same answer. */
const SETTLED = /"#\/components\/schemas\/Workspace"/;

interface Call {
  method: string;
  codes: readonly ErrorCode[];
  /** The description of its answer. */
  answer: unknown;
}

/** The headers that a call takes. They follow from its errors: what can be refused is read. */
export function requestHeaders({ method, codes, answer }: Call): ParameterName[] {
  const names: ParameterName[] = [];
  if (codes.includes('IDEMPOTENCY_MISMATCH')) names.push('IdempotencyKey', 'KeywardActor');
  if (codes.includes('PRECONDITION_FAILED')) names.push('IfMatch');
  if (method === 'put') names.push('IfNew');
  if (isConditionalRead(method, answer)) names.push('IfNoneMatch');
  return names;
}

/** The headers of a successful answer. */
export function answerHeaders({ method, codes, answer }: Call, status: string): HeaderName[] {
  const names: HeaderName[] = ['X-Request-Id'];
  if (isVersioned(answer)) names.push('ETag');
  if (status === '201' && method === 'post') names.push('Location');
  if (codes.includes('IDEMPOTENCY_MISMATCH')) names.push('Idempotent-Replayed');
  return names;
}

function isVersioned(answer: unknown): boolean {
  return VERSIONED.test(JSON.stringify(answer));
}

export function isConditionalRead(method: string, answer: unknown): boolean {
  return method === 'get' && SETTLED.test(JSON.stringify(answer));
}

export function headerRefs(names: readonly HeaderName[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

export function parameterRefs(names: readonly ParameterName[]): object[] {
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}
