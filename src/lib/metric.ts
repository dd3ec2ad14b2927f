import type { Histogram } from './histogram.ts';

export interface Sample {
  labels: Readonly<Record<string, string>>;
  value: number;
  /** Of the parts of a histogram. */
  metricName?: string;
}

/** What an instance has counted or measured, in fields that are read when someone asks. */
export interface Metric {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  samples: () => Sample[];
}

export function counter(name: string, help: string, value: () => number): Metric {
  return { name, type: 'counter', help, samples: () => [{ labels: {}, value: value() }] };
}

/** Has no sample while its value is null: not known yet. */
export function gauge(name: string, help: string, value: () => number | null): Metric {
  const samples = () => {
    const known = value();
    return known === null ? [] : [{ labels: {}, value: known }];
  };
  return { name, type: 'gauge', help, samples };
}

/** A value for each value of one label. */
type Values = () => Iterable<readonly [string, number]>;

export function countersBy(label: string, name: string, help: string, values: Values): Metric {
  return { name, type: 'counter', help, samples: samplesBy(label, values) };
}

export function gaugesBy(label: string, name: string, help: string, values: Values): Metric {
  return { name, type: 'gauge', help, samples: samplesBy(label, values) };
}

function samplesBy(label: string, values: Values): () => Sample[] {
  return () => Array.from(values(), ([text, value]) => ({ labels: { [label]: text }, value }));
}

export function histogram(name: string, help: string, measured: Histogram): Metric {
  return { name, type: 'histogram', help, samples: () => measured.samples(name, {}) };
}

export function histogramsBy(
  label: string,
  name: string,
  help: string,
  measured: Iterable<readonly [string, Histogram]>,
): Metric {
  const series = [...measured];
  const samples = () => series.flatMap(([text, one]) => one.samples(name, { [label]: text }));
  return { name, type: 'histogram', help, samples };
}

/** Counters by a label whose values are known. Counting allocates nothing. */
export class Counters<Value extends string> {
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #counts: Float64Array;

  constructor(values: readonly Value[]) {
    this.#indexes = new Map(values.map((value, index) => [value, index]));
    this.#counts = new Float64Array(values.length);
  }

  add(value: Value): void {
    const index = this.#indexes.get(value) ?? 0;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  entries(): [string, number][] {
    return Array.from(this.#indexes, ([value, index]) => [value, this.#counts[index] ?? 0]);
  }
}
