/**
 * Counters are written and folded by shards of keys: a step of the fold then finds all counters of a
 * key together, and is short. About 600 keys each where 10,000 are in use.
 */
export const SHARDS = 16;

/** Of a batch with keys of any shard. */
export const MIXED_SHARD = -1;

/** Key ids are random. The function `shard_usage_log` does the same in SQL. */
export function shardOf(keyId: string): number {
  const { length } = keyId;
  const [last, previous] = [keyId.charCodeAt(length - 1), keyId.charCodeAt(length - 2)];
  return (last + 7 * previous) % SHARDS || 0;
}
