import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  groupedBy,
  readAlerts,
  readExpressions,
  readPanels,
  selectedBy,
} from '../observability/files.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';

const MONITORING = readFileSync(join(import.meta.dirname, '../../docs/monitoring.md'), 'utf8');
/** Those that Prometheus gives to every metric that it reads, and that of buckets. */
const OF_PROMETHEUS = ['job', 'instance', 'le'];
/** Made by Prometheus itself. */
const NOT_OF_KEYWARD = ['up'];

let database: TestDatabase;
let instance: Instance;
/** The labels of every metric, by its name. */
let known: Map<string, Set<string>>;

beforeAll(async () => {
  database = await createTestDatabase();
  instance = await launch(database.url);
  await useEverything(instance);
  known = labelsIn((await instance.call('GET', '/metrics')).text);
});
afterAll(async () => {
  await instance.stop();
  await database.drop();
});

/** A few calls, so that metrics with labels have some. */
async function useEverything({ call, flush }: Instance): Promise<void> {
  const { body } = await call('POST', '/v1/keys', { body: { name: 'a key' } });
  await call('POST', '/v1/verify', { body: { key: body.key } });
  await call('POST', '/v1/verify', { body: { key: 'not a key' } });
  await flush();
}

/** A metric without samples has those of its row in the documentation. */
function labelsIn(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const [, name = ''] of text.matchAll(/^# TYPE (\w+) /gm)) {
    found.set(name, new Set(documentedLabels(name)));
  }
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const own = [...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label);
    found.set(name, new Set([...(found.get(name) ?? []), ...own]));
  }
  return found;
}

function documentedLabels(name: string): string[] {
  const row = MONITORING.split('\n').find((line) => line.startsWith(`| \`${name}\``)) ?? '';
  const [, , , labels = ''] = row.split('|');
  return labels.match(/\w+/g) ?? [];
}

const labelsOf = (metric: string) => [...OF_PROMETHEUS, ...(known.get(metric) ?? [])];

describe('the alerts and the dashboard', () => {
  it('every metric that an alert or a panel names is one of a running instance', () => {
    const missing = readExpressions().flatMap(({ of, expr }) =>
      selectedBy(expr)
        .map(({ metric }) => metric)
        .filter((metric) => !NOT_OF_KEYWARD.includes(metric) && !known.has(metric))
        .map((metric) => `${of}: ${metric}`),
    );
    expect(missing).toEqual([]);
  });

  it('every label by which an alert or a panel selects or groups is one of its metric', () => {
    const missing = readExpressions().flatMap(({ of, expr }) => {
      const selected = selectedBy(expr);
      const all = new Set(selected.flatMap(({ metric }) => labelsOf(metric)));
      const wrong = selected.flatMap(({ metric, labels }) =>
        labels.filter((label) => !labelsOf(metric).includes(label)),
      );
      return [...wrong, ...groupedBy(expr).filter((label) => !all.has(label))].map(
        (label) => `${of}: ${label}`,
      );
    });
    expect(missing).toEqual([]);
  });

  it('every expression names a metric, and no two alerts or panels have the same name', () => {
    expect(readExpressions().filter(({ expr }) => selectedBy(expr).length === 0)).toEqual([]);
    const names = [...readAlerts().map(({ alert }) => alert), ...readPanels().map((p) => p.title)];
    expect(names).toEqual([...new Set(names)]);
  });

  it('every alert has a severity, a summary, a description and a section in docs/monitoring.md', () => {
    const sections = [...MONITORING.matchAll(/^### (Keyward\w+)$/gm)].map(([, name]) => name);
    const alerts = readAlerts();
    expect(alerts.map(({ alert }) => alert)).toEqual(sections);
    for (const { alert, labels, annotations } of alerts) {
      expect(labels.severity).toMatch(/^(critical|warning)$/);
      expect(annotations).toEqual({
        summary: expect.any(String),
        description: expect.any(String),
        runbook_url: `docs/monitoring.md#${alert.toLowerCase()}`,
      });
    }
  });
});
