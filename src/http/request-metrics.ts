import { Histogram } from '../lib/histogram.ts';
import { histogramsBy, type Metric, type Sample } from '../lib/metric.ts';

const FIRST_STATUS = 100;
const STATUSES = 500;
const VERIFICATION_SECONDS = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];
/** The routes that verify, by how the metric calls them. */
const VERIFYING = { verify: '/v1/verify', batch: '/v1/verify/batch', authorize: '/v1/authorize' };

/** Counts answers by route, method and status: patterns of routes, so their number is bounded. */
export class RequestMetrics {
  /** By route and method, the counts of each status. */
  readonly #answers = new Map<string, Map<string, Float64Array>>();
  readonly #durations = new Map(
    Object.values(VERIFYING).map((route) => [route, new Histogram(VERIFICATION_SECONDS)]),
  );

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
        Object.entries(VERIFYING).flatMap(([name, route]) => {
          const measured = this.#durations.get(route);
          return measured ? [[name, measured]] : [];
        }),
      ),
    ];
  }

  count(route: string, method: string, status: number, milliseconds: number): void {
    const counts = this.#answers.get(route)?.get(method) ?? this.#add(route, method);
    const index = status - FIRST_STATUS;
    counts[index] = (counts[index] ?? 0) + 1;
    this.#durations.get(route)?.observe(milliseconds / 1000);
  }

  #add(route: string, method: string): Float64Array {
    const counts = new Float64Array(STATUSES);
    const ofRoute = this.#answers.get(route);
    if (ofRoute) ofRoute.set(method, counts);
    else this.#answers.set(route, new Map([[method, counts]]));
    return counts;
  }

  *#samples(): Iterable<Sample> {
    for (const [route, methods] of this.#answers) {
      for (const [method, counts] of methods) {
        for (const [index, value] of counts.entries()) {
          const status = String(index + FIRST_STATUS);
          if (value > 0) yield { labels: { route, method, status }, value };
        }
      }
    }
  }
}
