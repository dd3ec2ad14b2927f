import type { Metric } from './metric.ts';
import { packageVersion } from './package-version.ts';

export function buildInfo(postgres: string): Metric {
  const labels = { version: packageVersion(), node: process.versions.node, postgres };
  const help = 'Always 1: the versions of Keyward, of Node.js and, at the start, of Postgres.';
  const samples = () => [{ labels, value: 1 }];
  return { name: 'keyward_build_info', type: 'gauge', help, samples };
}
