import { type CallContext, workspaceScope } from '../call-context.ts';
import type { Orm } from '../db/database.ts';
import { toIso } from '../domain/time.ts';
import { KeywardError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { type RetentionDays, rangeOf, type UsageRange } from './query/range.ts';
import type { KeyUsage, UsageQuery } from './schemas.ts';
import { findKey, readUsage, type UsageCount } from './store.ts';

/** Reads the usage of keys, as the counters have written it. */
export class UsageService {
  readonly #orm: Orm;
  readonly #clock: Clock;
  readonly #retention: RetentionDays;

  constructor(orm: Orm, clock: Clock, retention: RetentionDays) {
    this.#orm = orm;
    this.#clock = clock;
    this.#retention = retention;
  }

  async ofKey(call: CallContext, id: string, query: UsageQuery): Promise<KeyUsage> {
    const workspaceId = workspaceScope(call.caller, query.workspaceId);
    const scope = { workspaceId, currentOnly: call.caller.workspaceId !== null };
    const range = rangeOf(query, this.#clock.now(), this.#retention);
    const key = await findKey(this.#orm, scope, id);
    if (!key) throw new KeywardError('NOT_FOUND');
    return toKeyUsage(await readUsage(this.#orm, key, range), range);
  }
}

function toKeyUsage(rows: readonly UsageCount[], range: UsageRange): KeyUsage {
  const { from, to, granularity, starts } = range;
  const byBucket = Map.groupBy(rows, (row) => row.bucket);
  const buckets = starts.map((start, index) => {
    const own = byBucket.get(index + 1) ?? [];
    return { start: toIso(start), ...sums(own), byCode: byCode(own) };
  });
  return {
    from: toIso(from),
    to: toIso(to),
    granularity,
    ...sums(rows),
    byCode: byCode(rows),
    bySecret: bySecret(rows),
    buckets,
  };
}

function sums(rows: readonly UsageCount[]) {
  return {
    total: rows.reduce((sum, { count }) => sum + count, 0),
    units: rows.reduce((sum, { units }) => sum + units, 0),
  };
}

function byCode(rows: readonly UsageCount[]): Record<string, number> {
  const groups = Map.groupBy(rows, (row) => row.code);
  return Object.fromEntries([...groups].map(([code, own]) => [code, sums(own).total]));
}

function bySecret(rows: readonly UsageCount[]) {
  const groups = Map.groupBy(rows, (row) => row.secretId);
  return [...groups].map(([secretId, own]) => ({
    secretId,
    start: own[0]?.start ?? null,
    ...sums(own),
  }));
}
