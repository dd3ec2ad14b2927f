import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli.ts';
import { readConfig } from '../../src/config.ts';
import { temporaryFolder } from '../support/folder.ts';
import {
  containersOf,
  EVERYTHING,
  HAS_MODELS,
  HELM,
  lint,
  NEEDED,
  objectOf,
  problemsOf,
  refusalOf,
  render,
} from './helm.ts';

const ONE_ROLE = { secret: { name: 'keyward' }, migration: { enabled: false } };

describe.skipIf(HELM === '')('the chart, rendered by helm', () => {
  it.each([
    ['what it needs', NEEDED],
    ['everything', EVERYTHING],
    ['no migration', ONE_ROLE],
  ])('helm lint finds nothing wrong with the chart, given %s', (_, values) => {
    expect(lint(values)).toMatchObject({ ok: true });
  });

  it.skipIf(!HAS_MODELS).each([
    ['what it needs', NEEDED],
    ['everything', EVERYTHING],
    ['no migration', ONE_ROLE],
  ])("every object of the chart, given %s, fits Kubernetes' own models", (_, values) => {
    expect(problemsOf(render(values))).toEqual([]);
  });

  it.skipIf(!HAS_MODELS)("Kubernetes' own models notice a misspelt field and a wrong type", () => {
    const deployment = objectOf('Deployment', NEEDED);
    const misspelt = { ...deployment, spec: { ...deployment.spec, replica: 2 } };
    const wrong = { ...deployment, spec: { ...deployment.spec, replicas: 'two' } };
    expect(problemsOf([misspelt])).toEqual([expect.stringMatching(/"replica".* does not exist/)]);
    expect(problemsOf([wrong])).toEqual([expect.stringContaining('replicas must be integer')]);
  });

  it('the chart makes what is needed, and the objects of operators where they are enabled', () => {
    const kinds = (values: object) =>
      render(values)
        .map(({ kind }) => kind)
        .sort();
    const always = [
      'Deployment',
      'Job',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'Service',
      'ServiceAccount',
    ];
    expect(kinds(NEEDED)).toEqual(always);
    const optional = ['HorizontalPodAutoscaler', 'PrometheusRule', 'ServiceMonitor'];
    expect(kinds(EVERYTHING)).toEqual([...always, ...optional].sort());
  });

  it('every pod of the chart runs without root, capabilities, a token or a writable root', () => {
    for (const kind of ['Deployment', 'Job']) {
      const object = objectOf(kind, EVERYTHING);
      expect(object.spec.template.spec).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      for (const { securityContext } of containersOf(object)) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  it('an instance is started, kept and asked by the routes that are for it', () => {
    const [container] = containersOf(objectOf('Deployment', NEEDED));
    expect(container).toMatchObject({
      startupProbe: { httpGet: { path: '/livez', port: 'http' } },
      livenessProbe: { httpGet: { path: '/livez', port: 'http' } },
      readinessProbe: { httpGet: { path: '/readyz', port: 'http' } },
    });
  });

  it.each([
    [5, 20],
    [15, 60],
    [0, 3600],
  ])(
    'a pod that waits %i s and stops for up to %i s is given longer than both',
    (preStopSeconds, shutdownSeconds) => {
      const deployment = objectOf('Deployment', { ...NEEDED, preStopSeconds, shutdownSeconds });
      const grace = deployment.spec.template.spec.terminationGracePeriodSeconds ?? 0;
      expect(grace).toBeGreaterThan(preStopSeconds + shutdownSeconds);
      expect(containersOf(deployment)[0]).toMatchObject({
        env: expect.arrayContaining([
          { name: 'KEYWARD_SHUTDOWN_SECONDS', value: `${shutdownSeconds}` },
        ]),
        lifecycle: { preStop: { exec: { command: ['sleep', `${preStopSeconds}`] } } },
      });
    },
  );

  it('the memory of a pod is no less than docs/memory.md adds up to, for either heap of its table', () => {
    for (const [column, heapMiB] of [256, 4096].entries()) {
      const [container] = containersOf(objectOf('Deployment', { ...NEEDED, heapMiB }));
      const limit = Number.parseInt(container?.resources.limits.memory ?? '', 10);
      expect(container?.env).toContainEqual({
        name: 'NODE_OPTIONS',
        value: `--max-old-space-size=${heapMiB}`,
      });
      expect(container?.resources.requests.memory).toBe(`${limit}Mi`);
      expect(limit).toBeGreaterThanOrEqual(heapMiB + outsideOfHeap(column));
      expect(limit).toBeLessThan(heapMiB + outsideOfHeap(column) + 300);
    }
  });

  it('the program accepts what a pod is given, and finds its secrets in the files of the Secret', async () => {
    const folder = await temporaryFolder('keyward-chart-');
    const deployment = objectOf('Deployment', EVERYTHING);
    const [volume] = deployment.spec.template.spec.volumes;
    expect(volume?.secret).toMatchObject({ secretName: 'keyward' });
    for (const { path } of volume?.secret.items ?? []) {
      const isUrl = path === 'DATABASE_URL';
      await writeFile(join(folder, path), isUrl ? 'postgres://a:b@db/keyward' : 's'.repeat(40));
    }
    const [container] = containersOf(deployment);
    const environment = Object.fromEntries(
      container?.env.map(({ name, value }) => [
        name,
        value.replace('/run/secrets/keyward', folder),
      ]) ?? [],
    );
    expect(readConfig(environment)).toMatchObject({
      databaseUrl: 'postgres://a:b@db/keyward',
      rootKey: expect.anything(),
      pepper: expect.anything(),
      metricsTokenDigest: expect.any(String),
      console: false,
      logVerifyPerSecond: 1_000_000,
    });
  });

  it('the chart makes no Secret, and every secret that it names is mounted, read-only, as a file', () => {
    const objects = render(EVERYTHING);
    expect(objects.map(({ kind }) => kind)).not.toContain('Secret');
    for (const kind of ['Deployment', 'Job']) {
      for (const { env, volumeMounts } of containersOf(objectOf(kind, EVERYTHING))) {
        const secret = env.filter(({ name }) => /SECRET|KEY$|TOKEN|DATABASE_URL/.test(name));
        expect(secret.every(({ name }) => name.endsWith('_FILE'))).toBe(true);
        expect(volumeMounts).toContainEqual({
          name: 'secrets',
          mountPath: '/run/secrets/keyward',
          readOnly: true,
        });
      }
    }
  });

  it('before each install and upgrade a Job migrates as the owner, then grants the runtime role its rights', () => {
    const job = objectOf('Job', NEEDED);
    expect(job.metadata.annotations?.['helm.sh/hook']).toBe('pre-install,pre-upgrade');
    expect(job.spec.template.spec.volumes[0]?.secret.secretName).toBe('keyward-owner');
    expect(containersOf(job).map(({ command }) => command)).toEqual([
      ['keyward', 'migrate'],
      ['keyward', 'grants', 'keyward_runtime', '--apply'],
    ]);
    const names = COMMANDS.map(({ name }) => name);
    for (const { command } of containersOf(job)) expect(names).toContain(command?.[1]);
  });

  it('no Service, policy or budget selects the pod of the migration, and each selects those of the service', () => {
    const labelsOf = (kind: string) =>
      Object.entries(objectOf(kind, NEEDED).spec.template.metadata.labels);
    const selectors = [
      { matchLabels: objectOf('Service', NEEDED).spec.selector },
      objectOf('NetworkPolicy', NEEDED).spec.podSelector,
      objectOf('PodDisruptionBudget', NEEDED).spec.selector,
      objectOf('Deployment', NEEDED).spec.selector,
    ];
    const server = Object.fromEntries(labelsOf('Deployment'));
    const migration = Object.fromEntries(labelsOf('Job'));
    for (const { matchLabels } of selectors) {
      expect(server).toMatchObject(matchLabels ?? { missing: 'a selector' });
      expect(migration).not.toMatchObject(matchLabels ?? {});
    }
  });

  it('with autoscaling the Deployment leaves the number of instances alone', () => {
    expect(objectOf('Deployment', NEEDED).spec.replicas).toBe(2);
    expect(objectOf('Deployment', EVERYTHING).spec.replicas).toBeUndefined();
  });

  it.each([
    ['no Secret', { migration: NEEDED.migration }, 'secret.name'],
    ['no Secret of the owner', { secret: NEEDED.secret }, 'migration.secret.name'],
    ['a secret as a setting', { ...NEEDED, settings: { KEYWARD_SECRET: 'x' } }, 'KEYWARD_SECRET'],
    ['a misspelt setting', { ...NEEDED, settings: { KEYWARD_CONSOL: 'off' } }, 'KEYWARD_CONSOL'],
    ['a misspelt value', { ...NEEDED, replicas: 3 }, 'replicas'],
    [
      'a ServiceMonitor without its token',
      { ...NEEDED, metrics: { serviceMonitor: { enabled: true } } },
      'secret.keys.metricsToken',
    ],
  ])('the chart is not rendered with %s, and names it', (_, values, name) => {
    expect(refusalOf(values)).toContain(name);
  });
});

/** MiB that docs/memory.md has outside of the heap: the rows of its table, argon2, young objects, the program. */
function outsideOfHeap(column: number): number {
  const page = readFileSync(new URL('../../docs/memory.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `\w+` \| outside \| ([\d.]+) \| ([\d.]+) \|$/gm)];
  const sum = rows.reduce((total, row) => total + Number(row[column + 1]), 0);
  const [argon2, young, program] = [
    /(\d+) MiB\s+for the four threads/,
    /up to (\d+) MiB for objects/,
    /about (\d+) MiB for the program/,
  ].map((pattern) => Number(pattern.exec(page)?.[1]));
  return sum + (argon2 ?? Number.NaN) + (young ?? Number.NaN) + (program ?? Number.NaN);
}
