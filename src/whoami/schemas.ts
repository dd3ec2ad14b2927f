import { type Static, Type } from 'typebox';
import { maybeTime, nullable, oneOf, open, Permission } from '../http/schemas.ts';
import { quotaAnswer } from '../keys/schemas/quota-fields.ts';

export const WhoAmI = Type.Object(
  {
    type: open(oneOf('PresentedKeyType', ['key', 'management_key', 'root']), {
      description: 'Type of the presented key.',
      examples: ['key'],
    }),
    id: Type.String({ description: 'Key id.', examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'] }),
    start: nullable(Type.String(), {
      description:
        'Start of the key string, as lists show it; null for the root key and imported keys.',
      examples: ['ak_live_4fQ2mX…'],
    }),
    name: nullable(Type.String(), { description: 'Key name.', examples: ['CI deploys'] }),
    workspaceId: nullable(Type.String(), {
      description: 'Workspace id of the key; null: all workspaces.',
      examples: ['default'],
    }),
    ownerId: nullable(Type.String(), {
      description: 'Owner of the key in your system.',
      examples: ['customer_42'],
    }),
    scopes: nullable(Type.Array(Type.String()), {
      description: "Scopes of a customer's key; null for other keys.",
      examples: [['sources:read']],
    }),
    resources: nullable(Type.Array(Type.String()), {
      description: 'Resources that the key may touch; null: all.',
      examples: [['project:alpha']],
    }),
    permissions: nullable(Type.Array(open(Permission, {})), {
      description: "Permissions of a management key; null for a customer's key.",
      examples: [null],
    }),
    expiresAt: maybeTime(
      'When the key expires, RFC 3339 in UTC; null: never.',
      '2030-01-31T12:00:00.000Z',
    ),
    rateLimits: nullable(quotaAnswer.rateLimits, {
      description: "Rate limits of a customer's key, with what is left; null for other keys.",
    }),
    credits: quotaAnswer.credits,
    rotation: Type.Object(
      {
        retiring: Type.Boolean({
          description: 'Whether the presented string was replaced: switch to the new one.',
          examples: [false],
        }),
        validUntil: maybeTime('When a retiring string ends; null: it is not retiring.'),
      },
      { description: 'Rotation status of the presented string.' },
    ),
  },
  { $id: 'WhoAmI', description: 'A presented key: what it is and may do.' },
);
export type WhoAmI = Static<typeof WhoAmI>;
