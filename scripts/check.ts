import { spawnSync } from 'node:child_process';

/** Every check but the tests, the cheapest first. Stops at the first that fails. */
const STEPS = {
  types: 'tsc && tsc -p src/console/page',
  'format and lint': 'biome check --error-on-warnings',
  'dead code': 'knip',
  migrations: 'node scripts/migration-drift.ts',
  'OpenAPI document': 'node openapi/write.ts --check',
  'OpenAPI rules': 'redocly lint',
  'generated client': 'npm run client -- --check',
};
// Both disable requests to the network.
const OFFLINE = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };

for (const [name, command] of Object.entries(STEPS)) {
  if (passes(name, command)) continue;
  process.exitCode = 1;
  break;
}

function passes(name: string, command: string): boolean {
  const started = performance.now();
  const options = { shell: true, encoding: 'utf8', env: { ...process.env, ...OFFLINE } } as const;
  const { status, stdout, stderr } = spawnSync(command, options);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${status === 0 ? '✓' : '✗'} ${name} (${seconds} s)\n`);
  if (status !== 0) process.stdout.write(`\n$ ${command}\n${stdout}${stderr}\n`);
  return status === 0;
}
