/** Something that callers make grow, with its limit. */
export interface ResourceLimit {
  /** Its label in metrics, such as `loads_waiting`. */
  name: string;
  max: number;
  /** The bytes of memory that one of them takes at most: 1 where the limit is itself in bytes. */
  bytesEach: number;
  used: () => number;
}
