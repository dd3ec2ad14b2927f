import { type Static, Type } from 'typebox';
import { nullable } from '../http/schemas.ts';

export const WhoAmI = Type.Object(
  {
    type: Type.String({
      description: 'What the presented key is. Known values: key, management_key, root.',
      examples: ['key'],
    }),
    id: Type.String({ description: 'Its identifier.', examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'] }),
    start: nullable(Type.String(), {
      description:
        'How its string begins, as lists show it; null for the root key and imported ones.',
      examples: ['ak_live_4fQ2mX…'],
    }),
    name: nullable(Type.String(), { description: 'Its name.', examples: ['CI deploys'] }),
    workspaceId: nullable(Type.String(), {
      description: 'The workspace that it is of; null: every one.',
      examples: ['default'],
    }),
    ownerId: nullable(Type.String(), {
      description: 'Whom it belongs to.',
      examples: ['customer_42'],
    }),
    scopes: nullable(Type.Array(Type.String()), {
      description: 'What it may do; null where it is not a customer’s key.',
      examples: [['sources:read']],
    }),
    resources: nullable(Type.Array(Type.String()), {
      description: 'What it may touch; null: everything.',
      examples: [['project:alpha']],
    }),
    permissions: nullable(Type.Array(Type.String()), {
      description: 'What it may do to Keyward; null where it is a customer’s key.',
      examples: [null],
    }),
    expiresAt: nullable(Type.String(), {
      description: 'When it expires, RFC 3339 in UTC; null: never.',
      examples: ['2030-01-31T12:00:00.000Z'],
    }),
    rotation: Type.Object(
      {
        retiring: Type.Boolean({
          description: 'Whether the presented string is being replaced: switch to the new one.',
          examples: [false],
        }),
        validUntil: nullable(Type.String(), {
          description: 'Until when a retiring string is valid.',
          examples: [null],
        }),
      },
      { description: 'How the presented string stands in a rotation of its key.' },
    ),
  },
  { $id: 'WhoAmI', description: 'What a presented key is and may do.' },
);
export type WhoAmI = Static<typeof WhoAmI>;
