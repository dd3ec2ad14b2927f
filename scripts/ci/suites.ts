import { existsSync, readFileSync } from 'node:fs';
import type { ToolName } from './tools.ts';

/** What `.ci/run` runs, each with a line of its own. */
export interface Suite {
  name: string;
  /** After this it is ended, and has failed: a hang costs no more. */
  minutes: number;
  command: string;
  /** Without one of these the suite is skipped. */
  needs?: readonly ToolName[];
  /** Without one of these, some of its tests are skipped. */
  uses?: readonly ToolName[];
}

/** The functions of usage and of retention, and reports: what transaction mode might break. */
const POOLED =
  'test/api/{pgbouncer,retention-jobs,usage-retention,removals,usage-query,hygiene}.test.ts';

/** Those that tell most come first. */
export const SUITES: readonly Suite[] = [
  { name: 'checks', minutes: 5, command: 'npm run --silent check' },
  { name: 'tests', minutes: 15, command: 'npm test' },
  ...ofScript('test:client-typescript', { name: 'client in TypeScript', minutes: 5 }),
  {
    name: 'gateways',
    minutes: 8,
    command: 'npm run --silent test:gateways',
    uses: ['nginx', 'caddy', 'haproxy'],
  },
  { name: 'browser', minutes: 8, command: 'npm run --silent test:browser', needs: ['chromium'] },
  ...ofScript('test:failover', { name: 'failover', minutes: 6, needs: ['nginx'] }),
  {
    name: 'upgrade',
    minutes: 8,
    command: 'npm run --silent test:upgrade',
    needs: ['git history'],
  },
  ...ofScript('test:upgrade:first', { name: 'upgrade from the first release', minutes: 5 }),
  ...ofFile('scripts/test-backup.sh', { name: 'backup and restore', minutes: 5 }),
  ...ofFile('scripts/test-client-python.sh', {
    name: 'client in Python',
    minutes: 5,
    needs: ['python'],
  }),
  ...ofFile('scripts/test-client-go.sh', { name: 'client in Go', minutes: 5, needs: ['go'] }),
  { name: 'generated clients', minutes: 6, command: 'npm run --silent test:clients' },
  {
    name: 'PgBouncer',
    minutes: 6,
    command: `npm run --silent test:pgbouncer -- ${POOLED}`,
    needs: ['pgbouncer'],
  },
  { name: 'fuzz', minutes: 5, command: 'npm run --silent fuzz -- --requests 5000' },
  {
    name: 'history',
    minutes: 14,
    command: 'npm run --silent check:history -- --minutes 10',
  },
  // The attacks whose rules do not depend on how fast a machine is.
  {
    name: 'attacks by thieves',
    minutes: 4,
    command: 'npm run --silent check:attack -- --smoke --only thief',
  },
  {
    name: 'attacks on isolation',
    minutes: 4,
    command: 'npm run --silent check:attack -- --smoke --only isolation',
  },
  // The factor is for a machine that others use too.
  { name: 'event loop budget', minutes: 6, command: 'npm run --silent check:budget -- --factor 3' },
  {
    name: 'observability',
    minutes: 5,
    command: 'npm run --silent test:observability',
    uses: ['prometheus', 'promtool'],
  },
  ...ofFile('scripts/container-check.sh', {
    name: 'container',
    minutes: 8,
    needs: ['buildah', 'podman'],
  }),
];

function ofScript(script: string, suite: Omit<Suite, 'command'>): Suite[] {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  return script in scripts ? [{ ...suite, command: `npm run --silent ${script}` }] : [];
}

function ofFile(file: string, suite: Omit<Suite, 'command'>): Suite[] {
  return existsSync(file) ? [{ ...suite, command: file }] : [];
}
