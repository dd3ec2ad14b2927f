import { Type } from 'typebox';
import { Cost } from '../../http/schemas.ts';
import { PARAMETER_HEADERS } from './parameters.ts';

/** Documents the call; what comes is read by hand, since anything may come along with it. */

const DESCRIPTION = `For gateways that ask before they let a request through (nginx \`auth_request\`,
Caddy \`forward_auth\`, Traefik ForwardAuth, Envoy \`ext_authz\`): the verdict by status and headers.
Every method and every path below \`/v1/authorize/\` is taken alike, the body is never looked at, and
unknown queries are ignored.

The gateway authenticates itself with a management key that has the permission \`keys:verify\`, in
\`X-Keyward-Authorization: Bearer <management key>\`; 401 with the code GATEWAY_UNAUTHENTICATED means
that this is wrong. The key to judge is the client's: the header that \`KEYWARD_KEY_HEADER\` names,
else \`X-API-Key\`, else \`Authorization: Bearer\`.

What is asked about the key may be said by query or by header. The client's own query and headers
often come along, so **whatever is said anywhere must hold**: more can only make the answer
stricter, and a parameter said twice with different values is a 400. A gateway that writes all of
its query, or sets or removes every parameter header, says so after its credential:
\`; from=query\` or \`; from=headers\`. Then only that place is read, and it is believed; without it
\`ip\` is ignored (keys bound to addresses are refused), \`resource\` does not satisfy a workspace that
requires one, and \`cost\` is at least 1.

200: VALID. 401: KEY_MISSING, NOT_FOUND, REVOKED, DISABLED, NOT_YET_VALID, EXPIRED. 403:
WORKSPACE_SUSPENDED, IP_NOT_ALLOWED, INSUFFICIENT_SCOPE, RESOURCE_NOT_ALLOWED. 429: RATE_LIMITED,
CREDITS_EXHAUSTED, with \`Retry-After\` where a reset is known. With \`mode=nginx\` a 429 becomes a 403,
and everything that is not a verdict on the client's key a 503.`;

const text = (description: string, example: string) =>
  Type.Optional(Type.String({ description, examples: [example] }));

const asInQuery = (name: keyof typeof PARAMETER_HEADERS, example: string) => ({
  [PARAMETER_HEADERS[name]]: text(`As \`${name}\` in the query.`, example),
});

const Query = Type.Object({
  requiredScopes: text('The key must have all of these, separated by commas.', 'orders:read'),
  requiredAnyScope: text('The key must have at least one of these.', 'orders:read,orders:write'),
  resource: text('What is to be touched.', 'project:alpha'),
  ip: text("The client's address. Needs `from`.", '203.0.113.7'),
  cost: Type.Optional(Cost),
  workspaceId: text('The workspace that the key must be of. Default: whichever it is.', 'default'),
  mode: text('`nginx`: answer 200, 401, 403 or 503 alone.', 'nginx'),
});

const Headers = Type.Object({
  'x-keyward-authorization': Type.String({
    description: "The gateway's own credential: `Bearer <management key>`, perhaps with `from`.",
    examples: ['Bearer kw_…; from=query'],
  }),
  'x-api-key': text("The client's key.", 'ak_live_…'),
  ...asInQuery('requiredScopes', 'orders:read'),
  ...asInQuery('requiredAnyScope', 'orders:read,orders:write'),
  ...asInQuery('resource', 'project:alpha'),
  ...asInQuery('ip', '203.0.113.7'),
  ...asInQuery('cost', '1'),
  ...asInQuery('workspaceId', 'default'),
  'x-keyward-mode': text('As `mode` in the query.', 'nginx'),
});

const header = (description: string) => ({ type: 'string', description });

const ALWAYS = {
  'X-Keyward-Code': header('The verdict, or the code of the problem.'),
  'X-Keyward-Status': header('The true status, where `mode=nginx` answers another.'),
};

const IDENTITY = {
  'X-Keyward-Key-Id': header("The key's identifier."),
  'X-Keyward-Owner': header(
    'Whom the key belongs to; empty where unknown. What is not visible ASCII, and `%`, is percent-encoded.',
  ),
  'X-Keyward-Scopes': header('The scopes of the key, separated by spaces.'),
  'X-Keyward-Workspace': header('The workspace of the key.'),
  Deprecation: header('The presented string is being replaced (RFC 9745).'),
  Sunset: header('When a string that is being replaced ends (RFC 8594).'),
};

const denial = (description: string) => ({
  description,
  headers: ALWAYS,
  content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
});

export const authorizeSchema = {
  operationId: 'authorize',
  tags: ['Verification'],
  summary: 'Verify a key for a gateway',
  description: DESCRIPTION,
  security: [{ gatewayKey: [] }],
  querystring: Query,
  headers: Headers,
  response: {
    200: {
      description: 'The request may go on. No body.',
      headers: { ...ALWAYS, ...IDENTITY },
      content: { 'text/plain': { schema: { type: 'string', maxLength: 0 } } },
    },
    400: denial('A parameter cannot be understood, or is said twice, differently.'),
    401: denial('No key, or one that is not valid; or the gateway is not authenticated.'),
    403: denial('The key is valid, but not for this; or the gateway lacks the permission.'),
    404: denial("The workspace is not the gateway's."),
    429: denial('A limit is reached.'),
    503: denial('No answer is to be had; try again after a moment.'),
  },
};
