import { Counters, countersBy, type Metric } from '../lib/metric.ts';
import { SHED_REASONS, type ShedReason } from '../lib/overload-error.ts';

/** Counts what is refused because something is full. */
export class ShedRequests {
  readonly #counts = new Counters<ShedReason>(SHED_REASONS);

  get metrics(): Metric[] {
    return [
      countersBy(
        'reason',
        'keyward_shed_requests_total',
        'Requests and connections refused because a bound or a rate was reached.',
        () => this.#counts.entries(),
      ),
    ];
  }

  count(reason: ShedReason): void {
    this.#counts.add(reason);
  }
}
