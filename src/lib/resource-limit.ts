/** Something that callers make grow, with its limit. */
export interface ResourceLimit {
  /** Its label in metrics, such as `loads_waiting`. */
  name: string;
  max: number;
  used: () => number;
}
