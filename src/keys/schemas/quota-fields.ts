import { type Static, Type } from 'typebox';
import { MAX_CREDITS } from '../../domain/refill.ts';
import { nullable, oneOf, open, time } from '../../http/schemas.ts';
import { rateLimitFields } from '../../http/verification-schemas.ts';

/** Part of answers: taken back, so that what was read can be sent, and not looked at. */
const shownOnly = (description: string, example: unknown) =>
  Type.Optional(
    Type.Unknown({
      description: `${description}; ignored in requests.`,
      examples: [example],
    }),
  );

export const RateLimits = Type.Array(
  Type.Object(
    {
      name: Type.String({
        pattern: '^[a-z][a-z0-9_-]{0,31}$',
        description: 'Rate limit name, unique within the key.',
        examples: ['per-minute'],
      }),
      limit: Type.Integer({
        minimum: 0,
        maximum: 1_000_000_000,
        description: 'Units in any interval of the window; 0 lets nothing through.',
        examples: [100],
      }),
      remaining: shownOnly('Units left now', 99),
      resetAt: shownOnly('Time at which units become available again', null),
      windowSeconds: Type.Integer({
        minimum: 1,
        maximum: 2_592_000,
        description: 'Window length, 1 second to 30 days.',
        examples: [60],
      }),
    },
    { 'x-name': 'RateLimitInput', additionalProperties: false },
  ),
  {
    maxItems: 5,
    description: 'Rate limits, up to 5; a verification must fit into all of them. Default: none.',
    examples: [[{ name: 'per-minute', limit: 100, windowSeconds: 60 }]],
  },
);

const RefillInterval = oneOf('RefillInterval', ['daily', 'monthly'], {
  description: 'Refill interval: at 00:00 UTC each day, or once a month.',
  examples: ['monthly'],
});

const Refill = Type.Object(
  {
    interval: RefillInterval,
    amount: Type.Integer({
      minimum: 0,
      maximum: MAX_CREDITS,
      description: 'Balance after a refill.',
      examples: [1000],
    }),
    dayOfMonth: Type.Optional(
      nullable(Type.Integer({ minimum: 1, maximum: 31 }), {
        description:
          'Day of a monthly refill; the last day of a shorter month. Default: the day so far, else 1.',
        examples: [1],
      }),
    ),
    nextAt: shownOnly('When the next refill is due', '2026-02-01T00:00:00.000Z'),
  },
  { 'x-name': 'CreditsRefillInput', additionalProperties: false },
);

const Credits = Type.Object(
  {
    remaining: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_CREDITS,
        description:
          'Balance of credits. Required while credits are not limited yet; a change that leaves it ' +
          'out keeps it.',
        examples: [1000],
      }),
    ),
    refill: Type.Optional(
      nullable(Refill, {
        description: 'Refill of the balance; null: none. A change that leaves it out keeps it.',
        examples: [{ interval: 'monthly', amount: 1000, dayOfMonth: 1 }],
      }),
    ),
  },
  { 'x-name': 'CreditsInput', additionalProperties: false },
);
export type Credits = Static<typeof Credits>;

export const CreditsSetting = nullable(Credits, {
  description: 'Credits: how many verifications are left. Null: not limited. Default: null.',
  examples: [{ remaining: 1000 }],
});

const ShownRefill = Type.Object(
  {
    interval: open(RefillInterval, { description: 'Refill interval.', examples: ['monthly'] }),
    amount: Type.Integer({ description: 'Balance after a refill.', examples: [1000] }),
    dayOfMonth: nullable(Type.Integer(), {
      description: 'Day of a monthly refill; null for a daily one.',
      examples: [1],
    }),
    nextAt: time('When the next refill is due.'),
  },
  { 'x-name': 'CreditsRefill' },
);

const ShownCredits = Type.Object(
  {
    remaining: Type.Integer({ description: 'Credits left.', examples: [1000] }),
    refill: nullable(ShownRefill, { description: 'Refill of the balance; null: none.' }),
  },
  { 'x-name': 'Credits' },
);

/** How the quotas of a key are shown. */
export const quotaAnswer = {
  rateLimits: Type.Array(Type.Object(rateLimitFields, { 'x-name': 'RateLimit' }), {
    description: 'Rate limits of the key, with what is left of them.',
    examples: [[]],
  }),
  credits: nullable(ShownCredits, { description: 'Credits of the key; null: not limited.' }),
};
