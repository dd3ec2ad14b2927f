import { expect, it } from 'vitest';
import { type Config, readConfig } from '../../src/config.ts';
import { Pepper } from '../../src/domain/pepper.ts';
import { RootKey } from '../../src/domain/root-key.ts';
import { heapLimit, memoryBudget } from '../../src/lib/memory-budget.ts';

/** Each variable, a value that is not its default, and the settings that it alone changes. */
const VARIABLES: [string, string, Partial<Config>][] = [
  ['DATABASE_URL', 'postgres://u@h/d', { databaseUrl: 'postgres://u@h/d' }],
  ['HOST', '::1', { host: '::1' }],
  ['PORT', '0', { port: 0 }],
  ['LOG_LEVEL', 'silent', { logLevel: 'silent' }],
  ['KEYWARD_DATA_DIR', '/var/keyward', { dataDirectory: '/var/keyward' }],
  ['KEYWARD_ROOT_KEY', 'r'.repeat(32), { rootKey: expect.any(RootKey) }],
  ['KEYWARD_SECRET', 's'.repeat(32), { pepper: expect.any(Pepper) }],
  ['KEYWARD_WEBHOOK_NETWORKS', '10.0.0.0/8, ::1', { webhookNetworks: ['10.0.0.0/8', '::1'] }],
  ['KEYWARD_DELIVERIES_KEPT_DAYS', '3', { deliveriesKeptDays: 3 }],
  ['KEYWARD_AUDIT_STDOUT', 'on', { auditToStdout: true }],
  ['KEYWARD_LEAK_REPORTS', 'on', { leakReports: true }],
  [
    'KEYWARD_GITHUB_KEYS_URL',
    'https://example.com/keys',
    { githubKeysUrl: 'https://example.com/keys' },
  ],
  ['KEYWARD_ALLOW_NO_SECRET', 'on', { allowNoSecret: true }],
  ['KEYWARD_KEY_HEADER', 'X-ACME-Key', { keyHeader: 'x-acme-key' }],
  ['KEYWARD_USAGE_FLUSH_MS', '0', { usageFlushMs: 0 }],
  ['KEYWARD_STALE_IF_ERROR_MS', '5000', { staleIfErrorMs: 5000 }],
  ['KEYWARD_MAX_IN_FLIGHT', '77', { maxInFlight: 77 }],
  ['KEYWARD_LOG_VERIFY_PER_SECOND', '0', { logVerifyPerSecond: 0 }],
  ['KEYWARD_ARGON2_MEMORY_KIB', '8192', { argon2: { ...defaults().argon2, memoryCost: 8192 } }],
  ['KEYWARD_ARGON2_ITERATIONS', '7', { argon2: { ...defaults().argon2, timeCost: 7 } }],
  ['KEYWARD_ARGON2_PARALLELISM', '4', { argon2: { ...defaults().argon2, parallelism: 4 } }],
  ['KEYWARD_CACHE_MIB', '321', { memory: memoryBudget(heapLimit(), 321) }],
  ['KEYWARD_POOL_SIZE', '7', { poolSize: 7 }],
  ['KEYWARD_PREPARED_STATEMENTS', 'off', { preparedStatements: false }],
  ['KEYWARD_SHUTDOWN_SECONDS', '3', { shutdownSeconds: 3 }],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://collector:4318', { traces: true }],
  ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'http://collector:4318/v1/traces', { traces: true }],
];

function defaults(): Config {
  return readConfig({});
}

it('a setting that is not given has its default', () => {
  expect(defaults()).toEqual({
    databaseUrl: undefined,
    host: '127.0.0.1',
    port: 8080,
    logLevel: 'info',
    dataDirectory: './.keyward',
    rootKey: null,
    pepper: null,
    allowNoSecret: false,
    console: true,
    keyHeader: undefined,
    usageFlushMs: 1000,
    staleIfErrorMs: 0,
    maxInFlight: memoryBudget(heapLimit()).requests,
    logVerifyPerSecond: 100,
    maxConnectionsPerAddress: 1000,
    metricsTokenDigest: undefined,
    argon2: { memoryCost: 19_456, timeCost: 2, parallelism: 1 },
    memory: memoryBudget(heapLimit()),
    poolSize: 10,
    preparedStatements: true,
    retention: { hours: 35, days: 400, deletedKeys: 90, retiredSecrets: 90 },
    lastUsedIp: 'truncated',
    deliveriesKeptDays: 30,
    webhookNetworks: [],
    auditToStdout: false,
    leakReports: false,
    githubKeysUrl: 'https://api.github.com/meta/public_keys/secret_scanning',
    shutdownSeconds: 20,
    traces: false,
  });
});

it.each(VARIABLES)('%s=%s changes its own setting and no other', (name, value, changed) => {
  expect(readConfig({ [name]: value })).toEqual({ ...defaults(), ...changed });
});

it.each([
  'Authorization',
  'AUTHORIZATION',
  'X-Keyward-Authorization',
  'x-KEYWARD-mode',
  'with blank',
  'with:colon',
  '-first',
  ...['host', 'Connection', 'Content-Type', 'content-length', 'cookie', 'transfer-encoding', 'te'],
  ...['upgrade', 'expect', 'User-Agent', 'accept', 'accept-encoding', 'forwarded', 'via', 'origin'],
  ...['X-Forwarded-For', 'referer', 'range', 'if-match', 'If-None-Match', 'X-Request-Id'],
  'x'.repeat(65),
  '',
])('KEYWARD_KEY_HEADER=%j is refused: it would be another header, or none', (value) => {
  expect(() => readConfig({ KEYWARD_KEY_HEADER: value })).toThrow(/KEYWARD_KEY_HEADER: must be/);
});

it.each(['X-Acme-Key', 'authorization-of-acme', 'host-key', 'x-accept-key', 'x'.repeat(64), '0'])(
  'KEYWARD_KEY_HEADER=%s is taken, and kept in lower case as Node has headers',
  (value) => {
    expect(readConfig({ KEYWARD_KEY_HEADER: value }).keyHeader).toBe(value.toLowerCase());
  },
);
