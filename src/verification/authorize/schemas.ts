import { type Static, Type } from 'typebox';
import { RATE_LIMIT_HEADERS } from '../../http/rate-limit-headers.ts';
import { answers, WorkspaceId } from '../../http/schemas.ts';
import { Cost, verificationFields } from '../../http/verification-schemas.ts';

/**
 * What a gateway asks about its client's key. It stands beside the gateway's own credential, in a
 * header that the gateway always writes, so that a client has no place to write a question in.
 */
export const GatewayQuestion = Type.Object(
  {
    ...verificationFields,
    cost: Type.Optional(Cost),
    workspaceId: Type.Optional(WorkspaceId),
    /** The gateway accepts 200, 401, 403 and 503 alone. */
    mode: Type.Optional(Type.Enum(['nginx'])),
  },
  { additionalProperties: false },
);
export type GatewayQuestion = Static<typeof GatewayQuestion>;

const DESCRIPTION = `For gateways that ask before they let a request through (nginx \`auth_request\`,
Caddy \`forward_auth\`, Traefik ForwardAuth, Envoy \`ext_authz\`): the verdict by status and headers.
Every method and every path below \`/v1/authorize/\` is taken alike; the path, the query, the body and
all other headers of the client are ignored, but for the family of its \`User-Agent\`, which is kept
with the last use of the key.

Everything that a gateway says stands in one header, \`X-Keyward-Authorization\`, which the gateway
writes on each request, so that no client can: its own credential, a management key with the
permission \`keys:verify\`, and after it what it asks:

    X-Keyward-Authorization: Bearer kw_…; requiredScopes=orders:read; ip=203.0.113.7

| parameter | |
| --- | --- |
| \`requiredScopes\` | the key must have all of these scopes; separated by commas, without spaces |
| \`requiredAnyScope\` | the key must have at least one of these scopes |
| \`ip\` | the client's address |
| \`cost\` | what the request consumes of rate limits and credits; 1 by default, 0 only looks |
| \`workspaceId\` | the workspace that the key must belong to; any by default |
| \`mode\` | \`nginx\`: answer 200, 401, 403 or 503 alone |
| \`resource\` | what is accessed; comes last and takes the rest of the header |

A parameter that is unknown, repeated, empty or not valid is refused with 400. 401 with the code
GATEWAY_UNAUTHENTICATED means that the gateway's credential is wrong, or that the header came with
more than one value; TOO_MANY_REQUESTS (429), that the gateway made more requests in a second than its
management key may. The client's key is taken from the header that \`KEYWARD_KEY_HEADER\` names, else
\`X-API-Key\`, else \`Authorization: Bearer\`; different keys in one of them are KEY_AMBIGUOUS.

200: VALID. 401: KEY_MISSING, KEY_AMBIGUOUS, NOT_FOUND, REVOKED, DISABLED, NOT_YET_VALID, EXPIRED.
403: WORKSPACE_SUSPENDED, IP_NOT_ALLOWED, INSUFFICIENT_SCOPE, RESOURCE_NOT_ALLOWED. 429:
RATE_LIMITED, CREDITS_EXHAUSTED, with \`Retry-After\` if waiting helps. With \`mode=nginx\` a 429
becomes a 403, and everything that is not a verdict on the client's key a 503.`;

const Headers = Type.Object({
  'x-keyward-authorization': Type.String({
    description: "The gateway's own credential, and what it asks.",
    examples: ['Bearer kw_…; requiredScopes=orders:read; ip=203.0.113.7'],
  }),
  'x-api-key': Type.Optional(
    Type.String({ description: "The client's key.", examples: ['ak_live_…'] }),
  ),
});

const header = (description: string) => ({ type: 'string', description });

const ALWAYS = {
  'X-Keyward-Code': header('The verdict, or the code of the problem.'),
  'X-Request-Id': header('Request id, which identifies the call in the log.'),
  'X-Keyward-Status': header('The true status, if `mode=nginx` answers another.'),
};

const IDENTITY = {
  'X-Keyward-Key-Id': header("The key's identifier."),
  'X-Keyward-Owner': header(
    'Whom the key belongs to; empty where unknown. What is not visible ASCII, and `%`, is percent-encoded.',
  ),
  'X-Keyward-Scopes': header('The scopes of the key, separated by spaces; at most 4096 bytes.'),
  'X-Keyward-Truncated': header('`scopes` if X-Keyward-Scopes was cut; empty otherwise.'),
  'X-Keyward-Workspace': header('The workspace of the key.'),
  Deprecation: header('The presented string is being replaced (RFC 9745).'),
  Sunset: header('When a string that is being replaced ends (RFC 8594).'),
};

const CHALLENGE = {
  'WWW-Authenticate': header('Scheme of the credential, and which scope is missing (RFC 6750).'),
};
const RETRY = { 'Retry-After': header('Seconds to wait, if waiting helps.') };

const denial = (description: string, headers: object = {}) => ({
  description,
  headers: { ...ALWAYS, ...headers },
  content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
});

export const authorizeSchema = {
  operationId: 'authorize',
  tags: ['Verification'],
  summary: 'Verify a key for a gateway',
  description: DESCRIPTION,
  security: [{ gatewayKey: [] }],
  headers: Headers,
  response: answers(
    {
      200: {
        description: 'The request may go on. No body.',
        headers: { ...ALWAYS, ...IDENTITY, ...RATE_LIMIT_HEADERS },
        content: { 'text/plain': { schema: { type: 'string', maxLength: 0 } } },
      },
      400: denial('A parameter of the gateway is unknown, repeated or not valid.'),
      401: denial(
        'No key, or one that is not valid; or the gateway is not authenticated.',
        CHALLENGE,
      ),
      403: denial('The key is valid, but not for this; or the gateway lacks the permission.', {
        ...CHALLENGE,
        ...RETRY,
        ...RATE_LIMIT_HEADERS,
      }),
      404: denial("The workspace is not the gateway's."),
      429: denial('A limit is reached.', { ...RETRY, ...RATE_LIMIT_HEADERS }),
      503: denial('No answer is available; try again after a moment.', { ...RETRY, ...CHALLENGE }),
    },
    'GATEWAY_UNAUTHENTICATED',
    'FORBIDDEN',
    'NOT_FOUND',
    'TOO_MANY_REQUESTS',
  ),
};
