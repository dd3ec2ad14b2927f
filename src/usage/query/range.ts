import { toIso } from '../../domain/time.ts';
import { invalidField, type KeywardError } from '../../errors.ts';
import { bucketEdges, DAY_MS, type Granularity, HOUR_MS, offsetOf, UTC } from './buckets.ts';

/** For how many days usage is kept by hour and by day; by month it is kept for ever. */
export interface RetentionDays {
  hours: number;
  days: number;
}

export interface RangeQuery {
  from?: string;
  to?: string;
  granularity: Granularity;
  timeZone?: string;
}

export interface UsageRange {
  granularity: Granularity;
  timeZone: string;
  /** What is read: hours, where the days of a zone are not those of UTC. */
  detail: Granularity;
  from: number;
  to: number;
  /** Of each bucket. */
  starts: readonly number[];
}

const DEFAULT_MS = 30 * DAY_MS;
const MAX_BUCKETS = { hour: 35 * 24, day: 400, month: 120 };
const MAX_RANGE = { hour: '35 days', day: '400 days', month: '120 months' };
/** Rounded up, the end still has a year of four digits, which Postgres and Date write alike. */
const MAX_END = Date.UTC(9999, 11, 31);

/** The range of a query, widened to whole buckets. What is not kept any more is refused, not zero. */
export function rangeOf(query: RangeQuery, now: number, retention: RetentionDays): UsageRange {
  const { granularity, timeZone = 'UTC' } = query;
  const zone = offsetOf(timeZone);
  if (!zone) {
    const rule = 'must be UTC or the name of a time zone such as Europe/Berlin';
    throw invalidField('/query/timeZone', rule);
  }
  // Hours are those of UTC in every zone.
  const offset = granularity === 'hour' ? UTC : zone;
  const detail = offset === UTC ? granularity : 'hour';
  const oldest = oldestKept(detail, now, retention);
  const edgesOf = (from: number, to: number) =>
    bucketEdges(granularity, offset, { from, to }, MAX_BUCKETS[granularity]);

  const to = query.to === undefined ? now : Date.parse(query.to);
  const end = edgesOf(to - 1, to)?.at(-1) ?? to;
  if (end > MAX_END) throw invalidField('/query/to', 'must not be later than 9999-12-31');
  const from =
    query.from === undefined ? Math.max(end - DEFAULT_MS, oldest) : Date.parse(query.from);
  if (from >= end) throw invalidField('/query/from', 'must be earlier than `to`');
  const edges = edgesOf(from, end);
  if (!edges) throw tooLong(granularity);
  requireWholeHours(edges);
  const kept = query.from === undefined ? edges.filter((edge) => edge >= oldest) : edges;
  const [first = end] = kept;
  if (first < oldest || kept.length < 2) throw notKept(detail, granularity, oldest);
  return { granularity, timeZone, detail, from: first, to: end, starts: kept.slice(0, -1) };
}

/** Whole days in UTC, as retention removes them. */
function oldestKept(detail: Granularity, now: number, { hours, days }: RetentionDays): number {
  if (detail === 'month') return Number.NEGATIVE_INFINITY;
  return Math.floor(now / DAY_MS - (detail === 'hour' ? hours : days)) * DAY_MS;
}

function requireWholeHours(edges: readonly number[]): void {
  if (edges.every((edge) => edge % HOUR_MS === 0)) return;
  throw invalidField(
    '/query/timeZone',
    'has an offset that is no whole hour, but usage is counted by UTC hour; use granularity=hour or timeZone=UTC',
  );
}

function tooLong(granularity: Granularity): KeywardError {
  return invalidField(
    '/query/from',
    `must be at most ${MAX_RANGE[granularity]} before \`to\` by ${granularity}`,
  );
}

function notKept(detail: Granularity, granularity: Granularity, oldest: number): KeywardError {
  const reason =
    detail === granularity
      ? `usage by ${detail} is kept no longer`
      : 'another time zone than UTC needs usage by hour, which is kept no longer';
  return invalidField('/query/from', `must not be before ${toIso(oldest)}: ${reason}`);
}
