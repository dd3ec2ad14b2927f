import { expect } from 'vitest';
import { connect } from './database.ts';
import type { Answer, Instance } from './instance.ts';
import { metric, metrics } from './metrics.ts';

interface Reported {
  key: string;
  url?: string;
  source?: string;
}

/** Reports as a stranger does. */
export function report(instance: Instance, ...keys: (Reported | string)[]): Promise<Answer> {
  const items = keys.map((it) => (typeof it === 'string' ? { key: it } : it));
  return send(instance, { keys: items });
}

export function send(instance: Instance, body: unknown): Promise<Answer> {
  return instance.call('POST', '/v1/leaks', { as: null, body });
}

/** Until everything that was reported is looked at. */
export async function untilHandled(...instances: Instance[]): Promise<void> {
  const waiting = (one: Instance) => metric(one, 'keyward_bound_used{bound="leak_reports"}');
  for (const one of instances) {
    await expect.poll(() => waiting(one), { interval: 5, timeout: 20_000 }).toBe(0);
  }
}

export async function reportAndWait(instance: Instance, ...keys: (Reported | string)[]) {
  const answer = await report(instance, ...keys);
  await untilHandled(instance);
  return answer;
}

/** What became of the reports of an instance. */
export async function outcomes(instance: Instance) {
  const found = await metrics(instance);
  const of = (name: string) => found.get(`keyward_leak_reports_total{outcome="${name}"}`) ?? 0;
  return { reported: of('reported'), matched: of('matched'), dropped: of('dropped') };
}

/** The alerts of one key or management key, as they are stored. */
export async function alertsOf(databaseUrl: string, targetId: string) {
  const client = await connect(databaseUrl);
  const { rows } = await client.query(
    'select type, workspace_id, target_type, details from alerts where target_id = $1',
    [targetId],
  );
  return rows;
}
