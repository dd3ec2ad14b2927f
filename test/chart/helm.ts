import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { CHART } from './values.ts';

export const HELM = process.env.KEYWARD_TEST_HELM ?? '';
const PACKAGES = fileURLToPath(new URL('./node_modules/', import.meta.url));
export const HAS_MODELS = existsSync(`${PACKAGES}kubernetes-models`);

export interface Container {
  name: string;
  image: string;
  command?: string[];
  env: { name: string; value: string }[];
  resources: Record<'requests' | 'limits', Record<string, string>>;
  securityContext: Record<string, unknown>;
  volumeMounts: { name: string; mountPath: string; readOnly: boolean }[];
}

interface Pod {
  metadata: { labels: Record<string, string> };
  spec: {
    containers: Container[];
    initContainers?: Container[];
    volumes: {
      name: string;
      secret: { secretName: string; items: { key: string; path: string }[] };
    }[];
    terminationGracePeriodSeconds?: number;
  };
}

/** What the tests look into of an object; the rest is checked against Kubernetes' models. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  spec: {
    template: Pod;
    selector: Record<string, unknown>;
    podSelector: Record<string, unknown>;
    replicas?: number;
  };
}

/** Enough for the chart to be rendered. */
export const NEEDED = {
  secret: { name: 'keyward' },
  migration: { secret: { name: 'keyward-owner' } },
};

/** Everything that can be switched on. */
export const EVERYTHING = {
  secret: { name: 'keyward', keys: { rootKey: 'KEYWARD_ROOT_KEY', metricsToken: 'METRICS' } },
  migration: NEEDED.migration,
  image: { digest: `sha256:${'0'.repeat(64)}` },
  imagePullSecrets: [{ name: 'registry' }],
  settings: { KEYWARD_CONSOLE: 'off', KEYWARD_LOG_VERIFY_PER_SECOND: '1000000' },
  extraEnv: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector:4318' }],
  autoscaling: { enabled: true },
  networkPolicy: {
    database: { to: [{ ipBlock: { cidr: '10.0.0.5/32' } }] },
    extraEgress: [{ ports: [{ protocol: 'TCP', port: 4318 }] }],
  },
  metrics: {
    serviceMonitor: { enabled: true, labels: { release: 'p' } },
    prometheusRule: { enabled: true },
  },
  podAnnotations: { team: 'platform' },
  podLabels: { team: 'platform' },
  service: { annotations: { a: 'b' } },
  serviceAccount: { annotations: { a: 'b' } },
  nodeSelector: { disk: 'ssd' },
  tolerations: [{ key: 'dedicated', operator: 'Exists' }],
  affinity: { nodeAffinity: {} },
  priorityClassName: 'high',
  extraVolumes: [{ name: 'ca', configMap: { name: 'postgres-ca' } }],
  extraVolumeMounts: [{ name: 'ca', mountPath: '/etc/postgres-ca', readOnly: true }],
};

function helm(args: string[], values: object) {
  const input = JSON.stringify(values);
  const run = spawnSync(HELM, [...args, '--values', '-'], { input, encoding: 'utf8' });
  return { ok: run.status === 0, stdout: run.stdout, stderr: run.stderr };
}

export const lint = (values: object) => helm(['lint', CHART, '--strict'], values);

/** What helm says instead of rendering the chart with these values. */
export function refusalOf(values: object): string {
  const { ok, stderr } = helm(['template', 'keyward', CHART], values);
  return ok ? 'is rendered' : stderr;
}

/** The objects that the chart makes with these values. */
export function render(values: object): KubernetesObject[] {
  const { ok, stdout, stderr } = helm(
    ['template', 'keyward', CHART, '--namespace', 'keyward'],
    values,
  );
  if (!ok) throw new Error(stderr);
  return parseAllDocuments(stdout, { version: '1.1' }).map((document) => document.toJS());
}

export function objectOf(kind: string, values: object): KubernetesObject {
  const object = render(values).find((candidate) => candidate.kind === kind);
  if (!object) throw new Error(`the chart makes no ${kind}`);
  return object;
}

export function containersOf({ spec }: KubernetesObject): Container[] {
  const { containers, initContainers = [] } = spec.template.spec;
  return [...initContainers, ...containers];
}

/** What Kubernetes' own models find wrong with these objects: wrong values, then fields that do not exist. */
export function problemsOf(objects: object[]): string[] {
  const script = fileURLToPath(new URL('./problems.js', import.meta.url));
  const input = JSON.stringify(objects);
  const { stdout, stderr } = spawnSync(process.execPath, [script], { input, encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}
