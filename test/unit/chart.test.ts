import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { SETTINGS } from '../../src/config.ts';
import { isGroup, readChartFile, readValues } from '../chart/values.ts';

const schema = JSON.parse(readChartFile('values.schema.json'));
const isValid = new Ajv({ allowUnionTypes: true }).compile(schema);
const values = (): Record<string, unknown> => parse(readChartFile('values.yaml'));

/** What the chart sets by itself, or takes from a Secret alone. */
const NOT_IN_SETTINGS = [
  'DATABASE_URL',
  'KEYWARD_DATA_DIR',
  'KEYWARD_METRICS_TOKEN',
  'KEYWARD_ROOT_KEY',
  'KEYWARD_SECRET',
  'KEYWARD_SHUTDOWN_SECONDS',
  'PORT',
];

describe('deploy/helm/keyward', () => {
  it("the README of the chart has a row for every value, with the default of values.yaml and the schema's description", () => {
    const rows = readValues().map(
      ({ path, default: value, description }) =>
        `| \`${path}\` | ${shown(value)} | ${description} |`,
    );
    const [, table = ''] = readChartFile('README.md').split('\n| value |');
    expect(table.split('\n\n')[0]?.split('\n').slice(2)).toEqual(rows);
  });

  it('every value of values.yaml is in the schema of the chart, which accepts the defaults', () => {
    expect(pathsIn(values(), new Set(readValues().map(({ path }) => path)))).toEqual(
      readValues().map(({ path }) => path),
    );
    expect([isValid(values()), isValid.errors]).toEqual([true, null]);
  });

  it('the chart takes every setting as a string but secrets and those that it sets itself', () => {
    const names: string[] = schema.properties.settings.propertyNames.enum;
    const taken = Object.keys(SETTINGS).filter((name) => !NOT_IN_SETTINGS.includes(name));
    expect(names).toEqual(taken);
    const refused = [
      { KEYWARD_SECRET: 'x' },
      { KEYWARD_CONSOLE: false },
      { KEYWARD_CONSOL: 'off' },
    ];
    for (const settings of refused) expect(isValid({ ...values(), settings })).toBe(false);
  });

  it('no value of the chart contains a secret: the schema has names of Secrets and of their keys alone', () => {
    const named = readValues().filter(({ path }) => /secret|token|password|key/i.test(path));
    expect(named.map(({ path }) => path)).toEqual([
      'imagePullSecrets',
      'secret.name',
      'secret.keys.databaseUrl',
      'secret.keys.secret',
      'secret.keys.rootKey',
      'secret.keys.metricsToken',
      'migration.secret.name',
      'migration.secret.databaseUrlKey',
    ]);
  });

  it('the chart has the version of the program, and the alerts that Prometheus is given elsewhere', () => {
    const chart = parse(readChartFile('Chart.yaml'));
    expect(chart).toMatchObject({
      apiVersion: 'v2',
      name: 'keyward',
      appVersion: manifest.version,
    });
    const alerts = new URL('../../deploy/observability/keyward-alerts.yml', import.meta.url);
    expect(readChartFile('files/keyward-alerts.yml')).toBe(readFileSync(alerts, 'utf8'));
  });
});

/** Paths of everything that is not itself a group of values. */
function pathsIn(
  value: Record<string, unknown>,
  leaves: ReadonlySet<string>,
  above = '',
): string[] {
  return Object.entries(value).flatMap(([name, own]) => {
    const path = `${above}${name}`;
    return isGroup(own) && !leaves.has(path) ? pathsIn(own, leaves, `${path}.`) : [path];
  });
}

function shown(value: unknown): string {
  if (value === '') return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
