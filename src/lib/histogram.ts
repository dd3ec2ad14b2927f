/** How many measurements were at most as large as each bound. Measuring allocates nothing. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** Of each bound alone, then of what is above all of them. */
  readonly #counts: Float64Array;
  readonly #sum = new Float64Array(1);

  /** @param bounds ascending, few: they are searched one by one */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let index = 0;
    while (value > (this.#bounds[index] ?? Number.POSITIVE_INFINITY)) index++;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum[0] = (this.#sum[0] ?? 0) + value;
  }

  /** As Prometheus has them: each bucket contains those below it. */
  samples(name: string, labels: Readonly<Record<string, string>>) {
    let count = 0;
    const buckets = Array.from(this.#counts, (own, index) => {
      count += own;
      const le = String(this.#bounds[index] ?? '+Inf');
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum[0] ?? 0 },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}
