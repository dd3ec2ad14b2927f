import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { Type } from 'typebox';
import { KeywardError } from '../errors.ts';
import type { Metric } from '../lib/metric.ts';
import type { App } from './app-type.ts';
import { answers } from './schemas.ts';

const UNAUTHENTICATED =
  'Send the token of KEYWARD_METRICS_TOKEN, or the root key: `Authorization: Bearer <token>`.';

export interface MetricsDependencies {
  metrics: readonly Metric[];
  mayReadMetrics: (authorization: string | undefined) => boolean;
}

/**
 * What the instance counts and measures, for Prometheus. Not for
 * everyone: who can watch the counters while presenting strings learns what became of each string.
 */
export function metricsRoutes(app: App, deps: MetricsDependencies): void {
  const registry = new Registry();
  for (const metric of deps.metrics) register(registry, metric);
  app.get(
    '/metrics',
    {
      config: { place: 'none' },
      onRequest: async ({ headers }) => {
        if (!deps.mayReadMetrics(headers.authorization)) {
          throw new KeywardError('UNAUTHENTICATED', UNAUTHENTICATED);
        }
      },
      schema: {
        operationId: 'getMetrics',
        tags: ['Health'],
        summary: 'Metrics of the instance',
        description:
          'Requests, verdicts, durations, what waits, what failed and how much of each resource limit ' +
          'is used, in the text format of Prometheus. Only numbers, and only of this instance: nothing ' +
          'about keys, owners or workspaces. Requires the token that `KEYWARD_METRICS_TOKEN` sets, or ' +
          'the root key; answered also while the database is unavailable.',
        security: [{ metricsToken: [] }, { managementKey: [] }],
        produces: ['text/plain'],
        response: answers(
          {
            200: Type.String({
              description: 'Metrics in the Prometheus text format 0.0.4.',
              examples: ['keyward_bound_used{bound="requests"} 3'],
            }),
          },
          'UNAUTHENTICATED',
        ),
      },
    },
    async (_request, reply) => {
      reply.type(registry.contentType);
      return registry.metrics();
    },
  );
}

const TYPES = { counter: Counter, gauge: Gauge, histogram: Histogram };

/** Its samples are read when they are asked for: prom-client's own counting takes microseconds. */
function register(registry: Registry, { name, type, help, samples }: Metric): void {
  const described = new TYPES[type]({ name, help, registers: [registry] });
  const getForPromString = async () => ({ name, help, type, values: samples() });
  Object.assign(described, { getForPromString });
}
