import { countersBy, gaugesBy, type Metric } from '../lib/metric.ts';
import type { AlertJob } from './job.ts';

type Watch = AlertJob['watches'][number];

export function alertMetrics(job: AlertJob): Metric[] {
  const byType = (value: (watch: Watch) => number) => () =>
    job.watches.map((watch) => [watch.type, value(watch)] as const);
  return [
    gaugesBy('type', 'keyward_alerts_open', 'Open alerts of all workspaces.', () => job.open),
    countersBy(
      'type',
      'keyward_alerts_opened_total',
      'Alerts that this instance has opened.',
      byType(({ opened }) => opened),
    ),
    countersBy(
      'type',
      'keyward_alerts_held_back_total',
      'Checks of a workspace that found more than may be open.',
      byType(({ heldBack }) => heldBack),
    ),
    gaugesBy(
      'type',
      'keyward_alerts_last_success_timestamp_seconds',
      'When all workspaces were last looked at, in Unix time; 0: not since the start.',
      byType(({ lastSuccessAt }) => (lastSuccessAt ?? 0) / 1000),
    ),
    countersBy(
      'type',
      'keyward_alerts_failures_total',
      'Checks for alerts that failed. They are repeated.',
      byType(({ failures }) => failures),
    ),
  ];
}
