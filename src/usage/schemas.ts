import { type Static, Type } from 'typebox';
import { instant, nullable, oneOf, open, time, WorkspaceId } from '../http/schemas.ts';

export const GRANULARITIES = ['hour', 'day', 'month'] as const;

/** Of both calls that read usage. */
export const rangeFields = {
  from: Type.Optional(
    instant(
      'Start of the range, rounded down to the granularity. Default: 30 days before `to`, or as long ' +
        'as is kept.',
      { examples: ['2030-01-01T00:00:00.000Z'] },
    ),
  ),
  to: Type.Optional(
    instant('End of the range, rounded up. Default: now.', {
      examples: ['2030-01-31T00:00:00.000Z'],
    }),
  ),
  granularity: oneOf('UsageGranularity', GRANULARITIES, {
    default: 'day',
    description:
      'Bucket width: hours for up to 35 days, days for up to 400, months for up to 120. Hours and ' +
      'days are kept for as long as the installation is set to, months for ever.',
    examples: ['day'],
  }),
};

export const UsageQuery = Type.Object(
  { workspaceId: Type.Optional(WorkspaceId), ...rangeFields },
  { additionalProperties: false },
);
export type UsageQuery = Static<typeof UsageQuery>;

const ByCode = Type.Record(Type.String(), Type.Integer(), {
  description: 'Number of verifications by verdict code; codes that did not occur are left out.',
  examples: [{ VALID: 118, EXPIRED: 2 }],
});
const Total = Type.Integer({
  description: 'Number of verifications, any verdict.',
  examples: [120],
});
const Units = Type.Integer({
  description: 'Units that they cost: the sum of `cost` of those that were VALID.',
  examples: [118],
});

export const KeyUsage = Type.Object(
  {
    from: time('Start of the range (inclusive), RFC 3339 in UTC.'),
    to: time('End of the range (exclusive).'),
    granularity: open(oneOf('UsageGranularity', GRANULARITIES), {
      description: 'Bucket width.',
      examples: ['day'],
    }),
    total: Total,
    units: Units,
    byCode: ByCode,
    bySecret: Type.Array(
      Type.Object(
        {
          secretId: nullable(Type.String(), {
            description: 'Secret id; null: strings that were removed long after they had ended.',
            examples: ['sec_5Tn8Wq2Lx7Yb2kQm4Xc9Rt'],
          }),
          start: nullable(Type.String(), {
            description: 'Start of the key string; null as `secretId`.',
            examples: ['ak_live_4fQ2mX…'],
          }),
          total: Total,
          units: Units,
        },
        { 'x-name': 'SecretUsage', description: 'Usage of one secret of a key.' },
      ),
      { description: 'Counts by secret: during a rotation, whether the old string is still used.' },
    ),
    buckets: Type.Array(
      Type.Object(
        {
          start: time('Start of the bucket.'),
          total: Total,
          units: Units,
          byCode: ByCode,
        },
        { 'x-name': 'UsageBucket', description: 'Usage in one hour, day or month.' },
      ),
      { description: 'All buckets of the range, oldest first, empty ones included.' },
    ),
  },
  {
    $id: 'KeyUsage',
    description:
      'Usage of a key, as far as counters were flushed and folded: usually two seconds ago.',
  },
);
export type KeyUsage = Static<typeof KeyUsage>;
