import { type CallContext, workspaceScope } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { toIso } from '../domain/time.ts';
import { invalidField, KeywardError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { KeyUsage, UsageQuery } from './schemas.ts';
import { findKey, readUsage, type UsageBucket } from './store.ts';

const DAY_MS = 86_400_000;
const WIDTH_MS = { hour: 3_600_000, day: DAY_MS };
const MAX_DAYS = { hour: 35, day: 400 };
const DEFAULT_DAYS = 30;
/** Rounded up, the end still has a year of four digits, which Postgres and Date write alike. */
const MAX_END = Date.UTC(9999, 11, 31);

/** Reads the usage of keys, as the counters have written it. */
export class UsageService {
  readonly #orm: Orm;
  readonly #clock: Clock;

  constructor(orm: Orm, clock: Clock) {
    this.#orm = orm;
    this.#clock = clock;
  }

  async ofKey(call: CallContext, id: string, query: UsageQuery): Promise<KeyUsage> {
    const workspaceId = workspaceScope(call.caller, query.workspaceId);
    const scope = { workspaceId, currentOnly: call.caller.workspaceId !== null };
    const range = rangeOf(query, this.#clock.now());
    const key = await findKey(this.#orm, scope, id);
    if (!key) throw new KeywardError('NOT_FOUND');
    return toKeyUsage(await readUsage(this.#orm, key, range), range);
  }
}

interface Range {
  from: Date;
  to: Date;
  granularity: 'hour' | 'day';
}

function rangeOf({ from, to, granularity }: UsageQuery, now: number): Range {
  const width = WIDTH_MS[granularity];
  const end = Math.ceil((to === undefined ? now : Date.parse(to)) / width) * width;
  const requested = from === undefined ? end - DEFAULT_DAYS * DAY_MS : Date.parse(from);
  const start = Math.floor(requested / width) * width;
  if (end > MAX_END) throw invalidField('/query/to', 'must not be later than 9999-12-31');
  if (start >= end) throw invalidField('/query/from', 'must be earlier than `to`');
  if (end - start > MAX_DAYS[granularity] * DAY_MS) {
    const max = MAX_DAYS[granularity];
    throw invalidField(
      '/query/from',
      `must be at most ${max} days before \`to\` by ${granularity}`,
    );
  }
  return { from: new Date(start), to: new Date(end), granularity };
}

function toKeyUsage(rows: readonly UsageBucket[], { from, to, granularity }: Range): KeyUsage {
  const byBucket = Map.groupBy(rows, (row) => row.bucket);
  const buckets = [];
  for (let start = from.getTime(); start < to.getTime(); start += WIDTH_MS[granularity]) {
    const own = byBucket.get(start) ?? [];
    buckets.push({ start: toIso(start), total: sum(own), byCode: byCode(own) });
  }
  return {
    from: toIso(from),
    to: toIso(to),
    granularity,
    total: sum(rows),
    byCode: byCode(rows),
    bySecret: bySecret(rows),
    buckets,
  };
}

function sum(rows: readonly UsageBucket[]): number {
  return rows.reduce((total, row) => total + row.count, 0);
}

function byCode(rows: readonly UsageBucket[]): Record<string, number> {
  const groups = Map.groupBy(rows, (row) => row.code);
  return Object.fromEntries([...groups].map(([code, own]) => [code, sum(own)]));
}

function bySecret(rows: readonly UsageBucket[]) {
  const groups = Map.groupBy(rows, (row) => row.secretId);
  return [...groups].map(([secretId, own]) => ({
    secretId,
    start: own[0]?.start ?? null,
    total: sum(own),
  }));
}
