import { type Static, Type } from 'typebox';
import { WorkspaceId } from '../../http/schemas.ts';
import { Cost, verificationFields } from '../../http/verification-schemas.ts';

const KEY = 'ak_live_4fQ2mXw9TzR1bVdE7yKc3nLpHs5gJuA8oWiZqB6vNtYxMrF0eUkCjDhPlSaGdTfIq';

/** The names of RFC 7662, and those of a verification for what that does not have. */
export const IntrospectRequest = Type.Object(
  {
    token: Type.String({
      description: 'The key as it was presented. Whatever cannot be a key is not active.',
      examples: [KEY],
    }),
    token_type_hint: Type.Optional(
      Type.String({ description: 'Makes no difference.', examples: ['access_token'] }),
    ),
    ip: verificationFields.ip,
    resource: verificationFields.resource,
    cost: Type.Optional(Cost),
    workspaceId: Type.Optional(WorkspaceId),
  },
  { 'x-name': 'IntrospectRequest', examples: [{ token: KEY }] },
);
export type IntrospectRequest = Static<typeof IntrospectRequest>;

const seconds = (description: string) =>
  Type.Optional(Type.Integer({ description, examples: [1_893_456_000] }));

export const Introspection = Type.Object(
  {
    active: Type.Boolean({
      description: 'Whether the verdict is `VALID`. False comes without any other member.',
      examples: [true],
    }),
    scope: Type.Optional(
      Type.String({
        description:
          'The scopes of the key, separated by spaces, wildcards as they were given; left out if it has none.',
        examples: ['orders:read orders:write'],
      }),
    ),
    client_id: Type.Optional(
      Type.String({
        description: "The key's stable identifier.",
        examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
      }),
    ),
    token_type: Type.Optional(
      Type.String({ description: 'Always `Bearer`.', examples: ['Bearer'] }),
    ),
    exp: seconds(
      'When the presented string ends, with its key or with the grace of a rotation, in seconds ' +
        'since 1970; left out if nothing is known to end it.',
    ),
    iat: seconds('When the presented string was issued or imported.'),
    nbf: seconds('Since when the key is valid; left out if it always was.'),
    sub: Type.Optional(
      Type.String({
        description: 'Whom the key belongs to: `ownerId`, or the id of the key if it has none.',
        examples: ['customer_42'],
      }),
    ),
    keyward_workspace_id: Type.Optional(
      Type.String({ description: 'The workspace that owns the key.', examples: ['default'] }),
    ),
    keyward_name: Type.Optional(
      Type.String({ description: "The key's name.", examples: ['CI deploys'] }),
    ),
    keyward_resources: Type.Optional(
      Type.Array(Type.String(), {
        description: 'What the key may touch; left out if everything.',
        examples: [['project:alpha']],
      }),
    ),
    keyward_stale: Type.Optional(
      Type.Boolean({
        description:
          'True: the database is unavailable, and this is what was last known of the key. Only ' +
          'with `KEYWARD_STALE_IF_ERROR_MS` set, and left out otherwise.',
        examples: [true],
      }),
    ),
  },
  { $id: 'Introspection', description: 'What RFC 7662 says of a token.' },
);
export type Introspection = Static<typeof Introspection>;
