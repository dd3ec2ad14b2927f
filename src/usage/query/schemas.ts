import { type Static, Type } from 'typebox';
import {
  Cursor,
  KeyPath,
  ListedWorkspaceId,
  line,
  NextCursor,
  nullable,
  oneOf,
  open,
  openOrNull,
  PageLimit,
  time,
} from '../../http/schemas.ts';
import { VerdictCode } from '../../http/verification-schemas.ts';
import { GRANULARITIES, rangeFields } from '../schemas.ts';

export const DIMENSIONS = ['workspace', 'owner', 'key', 'secret', 'code'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

const METRICS = ['verifications', 'units'] as const;

export const ReadUsage = Type.Object(
  {
    workspaceId: Type.Optional(ListedWorkspaceId),
    ...rangeFields,
    timeZone: Type.String({
      pattern: '^[A-Za-z0-9+_/:-]{1,64}$',
      default: 'UTC',
      description:
        'Time zone of days and months, by its IANA name. Another one than UTC is read from hours: no ' +
        'further back than those are kept, and only where its offset is a whole number of hours.',
      examples: ['Europe/Berlin'],
    }),
    groupBy: Type.Array(oneOf('UsageDimension', [...DIMENSIONS, 'time']), {
      minItems: 1,
      uniqueItems: true,
      default: ['time'],
      description:
        'What to count by. `time` adds a count for each bucket of the range, also without use, to each ' +
        'group. `secret` needs `keyId` or `secretId`. Usage of an owner is that of its present keys.',
      examples: [['key', 'time']],
    }),
    ownerId: Type.Optional(line(128, 'Owner whose keys to count.', 'customer_42')),
    keyId: Type.Optional(
      Type.Array(KeyPath.properties.id, {
        minItems: 1,
        maxItems: 200,
        uniqueItems: true,
        description: 'Keys to count.',
        examples: [['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd']],
      }),
    ),
    secretId: Type.Optional(
      Type.String({
        pattern: '^sec_[0-9A-Za-z]{22}$',
        description: 'Secret to count.',
        examples: ['sec_5Tn8Wq2Lx7Yb2kQm4Xc9Rt'],
      }),
    ),
    code: Type.Optional(
      Type.Array(VerdictCode, {
        minItems: 1,
        uniqueItems: true,
        description:
          'Verdicts to count. NOT_FOUND: attempts that matched no key, or one that is deleted or whose string was retired. Default: all.',
        examples: [['VALID', 'RATE_LIMITED']],
      }),
    ),
    metric: oneOf('UsageMetric', METRICS, {
      default: 'verifications',
      description: 'What `order` sorts by: verifications, or units of their `cost`.',
      examples: ['verifications'],
    }),
    order: Type.Optional(
      oneOf('UsageOrder', ['-metric', 'group'], {
        description:
          'Order of the groups: the largest first, or by their ids. As CSV, `group` is all groups, ' +
          '`-metric` the first `limit`. Default: `-metric`.',
        examples: ['-metric'],
      }),
    ),
    limit: PageLimit,
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type ReadUsage = Static<typeof ReadUsage>;

const counts = {
  verifications: Type.Integer({ description: 'Number of verifications.', examples: [120] }),
  units: Type.Integer({
    description: 'Units that they cost: the sum of `cost` of those that were VALID.',
    examples: [118],
  }),
};

const UsageGroup = Type.Object(
  {
    workspaceId: nullable(Type.String(), {
      description:
        'Workspace id, if grouped by it; `*`: attempts by callers that named no workspace, which ' +
        'matched no key.',
      examples: ['default'],
    }),
    ownerId: nullable(Type.String(), {
      description:
        'Owner, if grouped by it; null for keys without owner, and for what is of no key.',
      examples: ['customer_42'],
    }),
    keyId: nullable(Type.String(), {
      description: 'Key id, if grouped by it; null for what is of no key.',
      examples: ['key_7Yb2kQm4Xc9Rt1Lw5Ns8Vd'],
    }),
    secretId: nullable(Type.String(), {
      description: 'Secret id, if grouped by it; null for strings that were removed.',
      examples: ['sec_5Tn8Wq2Lx7Yb2kQm4Xc9Rt'],
    }),
    code: openOrNull(VerdictCode, {
      description: 'Verdict, if grouped by it.',
      examples: ['VALID'],
    }),
    kind: openOrNull(oneOf('UsageKind', ['key', 'removed', 'unmatched']), {
      description:
        'What is counted, if grouped by owner, key or secret: uses of keys, of keys or strings that were ' +
        'removed long after they had ended, or attempts that matched no key.',
      examples: ['key'],
    }),
    name: nullable(Type.String(), {
      description: 'Name of the key, if grouped by key.',
      examples: ['CI deploys'],
    }),
    secretStart: nullable(Type.String(), {
      description: 'Start of the key string, if grouped by secret.',
      examples: ['ak_live_4fQ2mX…'],
    }),
    ...counts,
    buckets: Type.Array(
      Type.Object(
        { start: time('Start of the bucket.'), ...counts },
        { 'x-name': 'UsagePoint', description: 'Usage in one hour, day or month.' },
      ),
      {
        description:
          'If grouped by time: all buckets of the range, oldest first, empty ones included. Else empty.',
      },
    ),
  },
  { 'x-name': 'UsageGroup', description: 'Usage of what one group has in common.' },
);
export type UsageGroup = Static<typeof UsageGroup>;

export const UsageReport = Type.Object(
  {
    from: time('Start of the range (inclusive), RFC 3339 in UTC.'),
    to: time('End of the range (exclusive).'),
    granularity: open(oneOf('UsageGranularity', GRANULARITIES), {
      description: 'Bucket width.',
      examples: ['day'],
    }),
    timeZone: Type.String({ description: 'Time zone of the buckets.', examples: ['UTC'] }),
    metric: open(oneOf('UsageMetric', METRICS), {
      description: 'What is sorted by.',
      examples: ['verifications'],
    }),
    total: nullable(
      Type.Object(counts, {
        'x-name': 'UsageTotal',
        description: 'Usage of all groups of all pages.',
      }),
      { description: 'Usage of all groups of all pages; null on all pages but the first.' },
    ),
    data: Type.Array(UsageGroup, {
      description: 'Groups in the order of `order`; those without use are left out.',
    }),
    nextCursor: NextCursor,
  },
  {
    $id: 'UsageReport',
    description:
      'Usage by group, as far as counters were flushed and folded: usually two seconds ago.',
  },
);
export type UsageReport = Static<typeof UsageReport>;
