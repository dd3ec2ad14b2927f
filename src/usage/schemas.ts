import { type Static, Type } from 'typebox';
import { instant, nullable, oneOf, open, time, WorkspaceId } from '../http/schemas.ts';

const GRANULARITIES = ['hour', 'day'] as const;

export const UsageQuery = Type.Object(
  {
    workspaceId: Type.Optional(WorkspaceId),
    from: Type.Optional(
      instant(
        'Start of the range, rounded down to the granularity. Default: 30 days before `to`.',
        { examples: ['2026-01-01T00:00:00.000Z'] },
      ),
    ),
    to: Type.Optional(
      instant('End of the range, rounded up. Default: now.', {
        examples: ['2026-01-31T00:00:00.000Z'],
      }),
    ),
    granularity: oneOf('UsageGranularity', GRANULARITIES, {
      default: 'day',
      description: 'Bucket width, in UTC: hours for up to 35 days, days for up to 400.',
      examples: ['day'],
    }),
  },
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

export const KeyUsage = Type.Object(
  {
    from: time('Start of the range (inclusive), RFC 3339 in UTC.'),
    to: time('End of the range (exclusive).'),
    granularity: open(oneOf('UsageGranularity', GRANULARITIES), {
      description: 'Bucket width.',
      examples: ['day'],
    }),
    total: Total,
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
          byCode: ByCode,
        },
        { 'x-name': 'UsageBucket', description: 'Usage in one hour or day.' },
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
