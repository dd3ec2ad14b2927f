/** Something that grows with what others do, and must not grow without limit. */
export interface ResourceLimit {
  /** As in metrics: `loads_waiting`. */
  name: string;
  max: number;
  used: () => number;
}
