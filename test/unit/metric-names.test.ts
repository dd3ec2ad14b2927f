import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { launchForTest } from '../support/instance.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const PAGE = readFileSync(new URL('../../docs/monitoring.md', import.meta.url), 'utf8');
const ROW = /^\| `(\w+)` \| (counter|gauge|histogram) \| ([\w, ]*?) ?\| .+ \|$/gm;

interface Described {
  type: string;
  labels: string[];
}

const documented = new Map<string, Described>(
  [...PAGE.matchAll(ROW)].map(([, name = '', type = '', labels = '']) => [
    name,
    { type, labels: labels.split(', ').filter(Boolean).sort() },
  ]),
);

/** Every metric of a text in Prometheus's format, with the labels that its samples have. */
function metricsIn(text: string): Map<string, Described> {
  const found = new Map<string, Described>();
  for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    const parts = type === 'histogram' ? '(?:_bucket|_sum|_count)' : '';
    const samples = text.matchAll(new RegExp(`^${name}${parts}(?:\\{(.*)\\})? \\S+$`, 'gm'));
    const labels = [...samples].flatMap(([, shown = '']) =>
      [...shown.matchAll(/(\w+)="/g)].map(([, label = '']) => label),
    );
    found.set(name, { type, labels: [...new Set(labels)].filter((it) => it !== 'le').sort() });
  }
  return found;
}

it('every metric is in the table of docs/monitoring.md, with its type and labels, and no label is a key, an owner or a workspace', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const instance = await launchForTest(database.url);
  const { key, id } = await createKey(instance, { ownerId: 'an-owner' });
  expect(await verdict(instance, key)).toBe('VALID');
  const { text } = await instance.call('GET', '/metrics');
  const found = metricsIn(text);
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(documented));
  const labels = new Set([...found.values()].flatMap((metric) => metric.labels));
  expect([...labels].filter((label) => /key|owner|workspace|ref|id$/i.test(label))).toEqual([]);
  for (const value of [key, id, 'an-owner', 'default']) expect(text).not.toContain(value);
});
