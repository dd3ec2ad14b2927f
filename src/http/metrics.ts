import { Gauge, Registry } from 'prom-client';
import { Type } from 'typebox';
import type { ResourceLimit } from '../lib/resource-limit.ts';
import type { App } from './app-type.ts';

/** How full everything is that is bounded, for Prometheus. */
export function metricsRoutes(app: App, bounds: readonly ResourceLimit[]): void {
  const registry = registryOf(bounds);
  app.get(
    '/metrics',
    {
      config: { alwaysAdmitted: true },
      schema: {
        operationId: 'getMetrics',
        tags: ['Health'],
        summary: 'Measure the instance',
        description:
          'How much of each bound is used, in the text format of Prometheus. Numbers alone, of this ' +
          'instance alone: nothing of a key, an owner or a workspace.',
        security: [],
        produces: ['text/plain'],
        response: {
          200: Type.String({
            description: 'Prometheus text format 0.0.4.',
            examples: ['keyward_bound_used{bound="requests"} 3'],
          }),
        },
      },
    },
    async (_request, reply) => {
      reply.type(registry.contentType);
      return registry.metrics();
    },
  );
}

function registryOf(bounds: readonly ResourceLimit[]): Registry {
  const registry = new Registry();
  const labelNames = ['bound'] as const;
  const registers = [registry];
  const limit = new Gauge({
    name: 'keyward_bound_limit',
    help: 'At most so many; beyond it the least recently used goes, or a request is answered 503.',
    labelNames,
    registers,
  });
  for (const { name, max } of bounds) limit.set({ bound: name }, max);
  new Gauge({
    name: 'keyward_bound_used',
    help: 'So many now.',
    labelNames,
    registers,
    collect() {
      for (const { name, used } of bounds) this.set({ bound: name }, used());
    },
  });
  return registry;
}
