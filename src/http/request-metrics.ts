import { Histogram } from '../lib/histogram.ts';
import { histogramsBy, type Metric, type Sample } from '../lib/metric.ts';

const FIRST_STATUS = 100;
const STATUSES = 500;
const VERIFICATION_SECONDS = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];
/** The routes that verify, by how the metric calls them. */
const VERIFYING = {
  verify: '/v1/verify',
  batch: '/v1/verify/batch',
  authorize: '/v1/authorize',
  introspect: '/v1/introspect',
};

interface RouteMetrics {
  /** By method, the counts of each status. */
  answers: Map<string, Float64Array>;
  seconds: Histogram | null;
}

/** Counts answers by route, method and status: patterns of routes, so their number is bounded. */
export class RequestMetrics {
  readonly #routes = new Map<string, RouteMetrics>();
  readonly #seconds = Object.entries(VERIFYING).map(([name, route]) => {
    const seconds = new Histogram(VERIFICATION_SECONDS);
    this.#add(route, seconds);
    return [name, seconds] as const;
  });

  get metrics(): Metric[] {
    return [
      {
        name: 'keyward_http_requests_total',
        type: 'counter',
        help: 'Answered requests by the pattern of their route, method and status.',
        samples: () => [...this.#samples()],
      },
      histogramsBy(
        'route',
        'keyward_verification_duration_seconds',
        'How long calls that verify took, from their headers to the end of their answer.',
        this.#seconds,
      ),
    ];
  }

  count(route: string, method: string, status: number, milliseconds: number): void {
    const found = this.#routes.get(route) ?? this.#add(route, null);
    const counts = found.answers.get(method) ?? newCounts(found, method);
    const index = status - FIRST_STATUS;
    counts[index] = (counts[index] ?? 0) + 1;
    found.seconds?.observe(milliseconds / 1000);
  }

  #add(route: string, seconds: Histogram | null): RouteMetrics {
    const added = { answers: new Map<string, Float64Array>(), seconds };
    this.#routes.set(route, added);
    return added;
  }

  *#samples(): Iterable<Sample> {
    for (const [route, { answers }] of this.#routes) {
      for (const [method, counts] of answers) {
        for (const [index, value] of counts.entries()) {
          const status = String(index + FIRST_STATUS);
          if (value > 0) yield { labels: { route, method, status }, value };
        }
      }
    }
  }
}

function newCounts({ answers }: RouteMetrics, method: string): Float64Array {
  const counts = new Float64Array(STATUSES);
  answers.set(method, counts);
  return counts;
}
