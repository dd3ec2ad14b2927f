import { gaugesBy, type Metric } from './metric.ts';

/** Something that callers make grow, with its limit. */
export interface ResourceLimit {
  /** Its label in metrics, such as `loads_waiting`. */
  name: string;
  max: number;
  /** The bytes of memory that one of them takes at most: 1 where the limit is itself in bytes. */
  bytesEach: number;
  used: () => number;
}

/** How much of each limit is used. */
export function limitMetrics(limits: readonly ResourceLimit[]): Metric[] {
  const ofEach = (value: (limit: ResourceLimit) => number) => () =>
    limits.map((limit) => [limit.name, value(limit)] as const);
  return [
    gaugesBy(
      'bound',
      'keyward_bound_limit',
      'The limit. Beyond it, the least recently used is evicted or a request is answered 503.',
      ofEach(({ max }) => max),
    ),
    gaugesBy(
      'bound',
      'keyward_bound_bytes',
      'The memory that the bound allows at most, in bytes.',
      ofEach(({ max, bytesEach }) => max * bytesEach),
    ),
    gaugesBy(
      'bound',
      'keyward_bound_used',
      'How much of the limit is used now.',
      ofEach(({ used }) => used()),
    ),
  ];
}
