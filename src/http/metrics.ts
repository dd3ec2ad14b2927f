import { Counter, Gauge, Registry } from 'prom-client';
import { Type } from 'typebox';
import { KeywardError } from '../errors.ts';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import type { App } from './app-type.ts';
import { answers } from './schemas.ts';

const UNAUTHENTICATED =
  'Send the token of KEYWARD_METRICS_TOKEN, or the root key: `Authorization: Bearer <token>`.';

/** How often the instance has done something expensive since its start. */
export interface OperationCounter {
  /** As in metrics: `keyward_fences_total`. */
  name: string;
  help: string;
  count: () => number;
}

/** Something that is as it is now. */
export interface MetricsGauge {
  name: string;
  help: string;
  value: () => number;
}

export interface MetricsDependencies {
  resourceLimits: readonly ResourceLimit[];
  operationCounters: readonly OperationCounter[];
  gauges: readonly MetricsGauge[];
  mayReadMetrics: (authorization: string | undefined) => boolean;
}

/**
 * How much of each bound is used and how often expensive operations ran, for Prometheus. Not for
 * everyone: who can watch the counters while presenting strings learns what became of each string.
 */
export function metricsRoutes(app: App, deps: MetricsDependencies): void {
  const registry = new Registry();
  registerLimits(registry, deps.resourceLimits);
  for (const counter of deps.operationCounters) registerCounter(registry, counter);
  for (const gauge of deps.gauges) registerGauge(registry, gauge);
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
          'How much of each resource limit is used and how often expensive operations ran since the ' +
          'start, in the text format of Prometheus. Only numbers, and only of this instance: nothing ' +
          'about keys, owners or workspaces. Requires the token that `KEYWARD_METRICS_TOKEN` sets, or ' +
          'the root key; answered also while the database is away.',
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

function registerLimits(registry: Registry, limits: readonly ResourceLimit[]): void {
  const labelNames = ['bound'] as const;
  const registers = [registry];
  const limit = new Gauge({
    name: 'keyward_bound_limit',
    help: 'The limit. Beyond it, the least recently used is evicted or a request is answered 503.',
    labelNames,
    registers,
  });
  const bytes = new Gauge({
    name: 'keyward_bound_bytes',
    help: 'The memory that the bound allows at most, in bytes.',
    labelNames,
    registers,
  });
  for (const { name, max, bytesEach } of limits) {
    limit.set({ bound: name }, max);
    bytes.set({ bound: name }, max * bytesEach);
  }
  new Gauge({
    name: 'keyward_bound_used',
    help: 'How much of the limit is used now.',
    labelNames,
    registers,
    collect() {
      for (const { name, used } of limits) this.set({ bound: name }, used());
    },
  });
}

function registerCounter(registry: Registry, { name, help, count }: OperationCounter): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(count());
    },
  });
}

function registerGauge(registry: Registry, { name, help, value }: MetricsGauge): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}
