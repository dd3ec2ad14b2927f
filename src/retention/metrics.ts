import { countersBy, gauge, gaugesBy, type Metric } from '../lib/metric.ts';
import type { Retention } from './jobs.ts';

type Job = Retention['jobs'][number];

/** The label is `task`: Prometheus has a label `job` of its own. */
export function retentionMetrics(retention: Retention): Metric[] {
  const byTask = (value: (job: Job) => number) => () =>
    retention.jobs.map((job) => [job.name, value(job)] as const);
  return [
    gaugesBy(
      'task',
      'keyward_retention_last_success_timestamp_seconds',
      'When a task of retention was last complete, in Unix time; 0: not since the start.',
      byTask(({ lastSuccessAt }) => (lastSuccessAt ?? 0) / 1000),
    ),
    countersBy(
      'task',
      'keyward_retention_rows_total',
      'Rows that tasks of retention moved, marked or removed.',
      byTask(({ rows }) => rows),
    ),
    countersBy(
      'task',
      'keyward_retention_failures_total',
      'Tasks of retention that failed. They are repeated.',
      byTask(({ failures }) => failures),
    ),
    gauge(
      'keyward_usage_oldest_open_hour_timestamp_seconds',
      'The first hour of usage that was not moved yet, in Unix time.',
      () => (retention.oldestOpenHour === null ? null : retention.oldestOpenHour / 1000),
    ),
  ];
}
