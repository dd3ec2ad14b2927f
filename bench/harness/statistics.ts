/** By nearest rank: the least of the sorted values that this share of them does not exceed. */
export function percentile(sorted: readonly number[], share: number): number {
  const rank = Math.ceil(sorted.length * share - 1e-9);
  return sorted[Math.max(1, rank) - 1] ?? Number.NaN;
}

/** The middle one, or half-way between the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [below, above] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return ((below ?? Number.NaN) + (above ?? Number.NaN)) / 2;
}

/** Rounded to two decimal places. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
