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
  /** It waits for most of its time, and measures nothing: the others go on meanwhile. */
  runsAlongside?: boolean;
}

/** The functions of usage and of retention, and reports: what transaction mode might break. */
const POOLED =
  'test/api/{pgbouncer,retention-jobs,usage-retention,removals,usage-query,hygiene}.test.ts';

/** Those that tell most come first; what runs alongside begins with the first of the others. */
export const SUITES: readonly Suite[] = [
  { name: 'checks', minutes: 5, command: 'npm run --silent check' },
  { name: 'tests', minutes: 15, command: 'npm test' },
  // Three browsers need both cores.
  { name: 'browser', minutes: 12, command: 'npm run --silent test:browser', needs: ['chromium'] },
  {
    name: 'history',
    minutes: 15,
    command: 'npm run --silent check:history -- --minutes 10',
    runsAlongside: true,
  },
  {
    name: 'gateways',
    minutes: 8,
    command: 'npm run --silent test:gateways',
    uses: ['nginx', 'caddy', 'haproxy'],
  },
  {
    name: 'client in TypeScript',
    minutes: 5,
    command: 'npm run --silent test:client-typescript',
  },
  {
    name: 'client in Python',
    minutes: 5,
    command: 'npm run --silent test:client-python',
    needs: ['python'],
  },
  { name: 'client in Go', minutes: 5, command: 'npm run --silent test:client-go', needs: ['go'] },
  { name: 'generated clients', minutes: 6, command: 'npm run --silent test:clients' },
  { name: 'failover', minutes: 6, command: 'npm run --silent test:failover', needs: ['nginx'] },
  {
    name: 'upgrade',
    minutes: 8,
    command: 'npm run --silent test:upgrade',
    needs: ['git history'],
  },
  {
    name: 'upgrade from the first version',
    minutes: 6,
    command: 'npm run --silent test:upgrade:first',
    needs: ['git history'],
  },
  {
    name: 'backup and restore',
    minutes: 6,
    command: 'npm run --silent test:backup',
    uses: ['postgres'],
  },
  {
    name: 'PgBouncer',
    minutes: 6,
    command: `npm run --silent test:pgbouncer -- ${POOLED}`,
    needs: ['pgbouncer'],
  },
  { name: 'fuzz', minutes: 5, command: 'npm run --silent fuzz -- --requests 5000' },
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
  { name: 'chart', minutes: 4, command: 'npm run --silent test:chart', needs: ['unzip'] },
  {
    name: 'container',
    minutes: 8,
    command: 'npm run --silent check:container',
    needs: ['podman', 'debootstrap'],
  },
];
