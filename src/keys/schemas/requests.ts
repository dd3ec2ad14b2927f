import { type Static, Type } from 'typebox';
import {
  ExpiresInSeconds,
  nullable,
  RotationGrace,
  text,
  WorkspaceId,
} from '../../http/schemas.ts';
import {
  AllowedIps,
  CreditsSetting,
  Description,
  Enabled,
  ExpiresAt,
  Metadata,
  Name,
  NotBefore,
  newKeyFields,
  OwnerId,
  RateLimits,
  Resources,
  Scopes,
} from './fields.ts';

export const CreateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...newKeyFields },
  { additionalProperties: false },
);
export type CreateKey = Static<typeof CreateKey>;

export const PatchKey = Type.Object(
  {
    name: Type.Optional(Name),
    description: Type.Optional(nullable(Description)),
    ownerId: Type.Optional(nullable(OwnerId)),
    scopes: Type.Optional(Scopes),
    resources: Type.Optional(nullable(Resources)),
    allowedIps: Type.Optional(nullable(AllowedIps)),
    notBefore: Type.Optional(nullable(NotBefore)),
    expiresAt: Type.Optional(nullable(ExpiresAt)),
    expiresInSeconds: Type.Optional(ExpiresInSeconds),
    rateLimits: Type.Optional(RateLimits),
    credits: Type.Optional(CreditsSetting),
    metadata: Type.Optional(
      nullable(Metadata, { description: 'Merged name by name; a null value removes its name.' }),
    ),
    enabled: Type.Optional(Enabled),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type PatchKey = Static<typeof PatchKey>;

export const revocation = {
  reason: Type.Optional(text(64, 'Why, in a word that you can filter by.', 'leaked')),
  note: Type.Optional(text(1000, 'Why, for people.', 'Found in a public repository.')),
};

export const RevokeKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...revocation },
  { additionalProperties: false },
);
export type RevokeKey = Static<typeof RevokeKey>;

export const ChangeCredits = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    operation: Type.Unsafe<'add' | 'subtract' | 'set'>({
      type: 'string',
      enum: ['add', 'subtract', 'set'],
      description: 'What to do with the balance; `subtract` stops at 0.',
      examples: ['add'],
    }),
    amount: Type.Integer({
      minimum: 0,
      maximum: 1_000_000_000_000,
      description: 'How many credits.',
      examples: [500],
    }),
  },
  { additionalProperties: false },
);
export type ChangeCredits = Static<typeof ChangeCredits>;

export const RotateKey = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...RotationGrace.properties },
  { additionalProperties: false },
);
export type RotateKey = Static<typeof RotateKey>;
