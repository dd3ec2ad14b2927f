import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cleanEnv, makeValidator, str } from 'envalid';
import { canonicalIpRanges, parseIpRange } from './domain/ip.ts';
import { type Pepper, pepperFrom } from './domain/pepper.ts';
import { RootKey } from './domain/root-key.ts';
import { heapLimit, type MemoryBudget, memoryBudget } from './lib/memory-budget.ts';
import { OperatorError } from './lib/operator-error.ts';

/** Sensitive settings may also be read from a file, whose path is in `NAME_FILE`. */
const FROM_FILE = [
  'DATABASE_URL',
  'KEYWARD_METRICS_TOKEN',
  'KEYWARD_ROOT_KEY',
  'KEYWARD_SECRET',
] as const;

/** Nothing needs these once they are read. */
const SECRETS = FROM_FILE.filter((name) => name !== 'DATABASE_URL');

const int = (min: number, max: number) =>
  makeValidator<number>((input) => {
    const value = /^\d+$/.test(input) ? Number(input) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new Error(`must be a whole number from ${min} to ${max}`);
  });

const matching = (pattern: RegExp, rule: string) =>
  makeValidator<string>((input) => {
    if (pattern.test(input)) return input;
    throw new Error(rule);
  });

const onOff = makeValidator<boolean>((input) => {
  if (input === 'on' || input === 'off') return input === 'on';
  throw new Error('must be on or off');
});

const host = matching(/^\S+$/, 'must be a host name or an IP address');
const folder = matching(/\S/, 'must be the path of a folder');
/** What HTTP, proxies and browsers set by themselves. */
const STANDARD_HEADERS =
  'authorization|host|connection|keep-alive|cookie|te|trailer|transfer-encoding|upgrade|expect|' +
  'user-agent|via|origin|referer|range|date|from|max-forwards|pragma|cache-control|dnt|' +
  'upgrade-insecure-requests|idempotency-key|keyward-actor|x-request-id|x-real-ip|' +
  '(content|accept|if|sec|proxy|access-control|x-forwarded)-.*|accept|forwarded';
const keyHeader = matching(
  new RegExp(`^(?!x-keyward-|(?:${STANDARD_HEADERS})$)[A-Za-z0-9][A-Za-z0-9-]{0,63}$`, 'i'),
  'must be the name of a header that nothing else uses, such as X-Acme-Key',
);
/** Comma-separated addresses and networks, as they are compared. */
const networks = makeValidator<string[]>((input) => {
  const entries = input.split(',').map((entry) => entry.trim());
  if (entries.every((entry) => parseIpRange(entry) !== null)) return canonicalIpRanges(entries);
  throw new Error('must be addresses or networks such as 10.0.0.0/8, separated by commas');
});
const webUrl = makeValidator<string>((input) => {
  if (/^https?:\/\//.test(input) && URL.canParse(input)) return input;
  throw new Error('must be a URL such as https://example.com/keys');
});
const rootKey = matching(/^[A-Za-z0-9_-]{32,256}$/, 'must be 32 to 256 characters of A-Za-z0-9_-');
const metricsToken = matching(/^[!-~]{32,256}$/, 'must be 32 to 256 visible ASCII characters');
/** Spaces around it count, but not towards the least length. */
const secret = matching(/^(?=\s*\S.{30,}\S\s*$).{32,1024}$/s, 'must be 32 to 1024 characters');

/** No error quotes the value, which may contain a password. */
const databaseUrl = makeValidator<string>((input) => {
  if (!/^postgres(ql)?:\/\//.test(input) || !URL.canParse(input)) {
    throw new Error('must be a URL such as postgres://user:password@host:5432/database');
  }
  return checkedTls(input);
});

const TLS_MODES = ['disable', 'no-verify', 'prefer', 'require', 'verify-ca', 'verify-full'];
const TLS_FILES = ['sslrootcert', 'sslcert', 'sslkey'];

/**
 * The driver verifies fully under `prefer`, `require` and `verify-ca` too, and warns that a later
 * version will not. Spelt out, that stays so. docs/tls-to-postgres.md says what each does.
 */
function checkedTls(url: string): string {
  const parameters = new URL(url).searchParams;
  const mode = parameters.get('sslmode');
  if (mode !== null && !TLS_MODES.includes(mode)) {
    throw new Error(`sslmode must be one of ${TLS_MODES.join(', ')}`);
  }
  for (const name of TLS_FILES) requireReadable(name, parameters.get(name));
  if (parameters.get('uselibpqcompat') !== 'true') {
    return url.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/, '$1verify-full');
  }
  if (mode !== 'verify-ca' || parameters.has('sslrootcert')) return url;
  throw new Error('sslmode=verify-ca needs sslrootcert');
}

function requireReadable(name: string, path: string | null): void {
  if (path === null) return;
  try {
    readFileSync(path);
  } catch {
    throw new Error(`${name}: cannot read ${path}`);
  }
}

/** Every setting with its environment variable, bounds, default and meaning. */
export const SETTINGS = {
  DATABASE_URL: databaseUrl({
    default: undefined,
    desc: 'PostgreSQL 14 or newer, its one writing primary. Unset: an embedded database.',
  }),
  HOST: host({ default: '127.0.0.1', desc: 'Address to listen on.' }),
  PORT: int(0, 65_535)({ default: 8080, desc: 'Port to listen on; 0 takes a free one.' }),
  LOG_LEVEL: str({
    default: 'info',
    choices: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    desc: 'Least severe log level that is written.',
  }),
  KEYWARD_DATA_DIR: folder({
    default: './.keyward',
    desc: 'Folder of the embedded database and of the secrets that are generated with it.',
  }),
  KEYWARD_ROOT_KEY: rootKey({
    default: undefined,
    desc: 'The root management key. Only its digest is held. Unset: no root key.',
  }),
  KEYWARD_SECRET: secret({
    default: undefined,
    desc: 'Keys the stored proofs, so that restarts need no argon2, and the audit chain. `start` needs it with `DATABASE_URL`.',
  }),
  KEYWARD_ALLOW_NO_SECRET: onOff({
    default: false,
    desc: 'on: `start` accepts a `DATABASE_URL` without a `KEYWARD_SECRET`.',
  }),
  KEYWARD_CONSOLE: onOff({
    default: true,
    desc: 'on: the page at `/console`, on which people manage keys; off: nothing is there.',
  }),
  KEYWARD_KEY_HEADER: keyHeader({
    default: undefined,
    desc: 'Header in which gateways pass the key on, besides X-API-Key and Authorization.',
  }),
  KEYWARD_METRICS_TOKEN: metricsToken({
    default: undefined,
    desc: 'Reads `/metrics`, as the root key does. Only its digest is held.',
  }),
  KEYWARD_USAGE_FLUSH_MS: int(
    0,
    60_000,
  )({
    default: 1000,
    desc: 'Milliseconds between two writes of the usage counters. 0: each answer waits until it is counted.',
  }),
  KEYWARD_STALE_IF_ERROR_MS: int(
    0,
    3_600_000,
  )({
    default: 0,
    desc: 'Milliseconds for which known keys without limits may be answered from memory, marked `stale`, while the database is unavailable. 0: never, so that revocation stays immediate.',
  }),
  KEYWARD_MAX_IN_FLIGHT: int(
    1,
    100_000,
  )({
    default: undefined,
    desc: 'Maximum number of requests in flight; one more is answered 503. Unset: 2000, and fewer where the heap is below 750 MiB. Three quarters of it for one caller.',
  }),
  KEYWARD_MAX_CONNECTIONS_PER_ADDRESS: int(
    1,
    10_000,
  )({
    default: 1000,
    desc: 'Maximum number of connections from one address, such as a proxy; one more is closed at once.',
  }),
  KEYWARD_LOG_VERIFY_PER_SECOND: int(
    0,
    1_000_000,
  )({
    default: 100,
    desc: 'Maximum number of successful verifications that are logged each second; 0: none. Refused ones are always logged.',
  }),
  KEYWARD_ARGON2_MEMORY_KIB: int(
    8192,
    1_048_576,
  )({ default: 19_456, desc: 'Memory of one argon2id hash (OWASP minimum: 19456).' }),
  KEYWARD_ARGON2_ITERATIONS: int(
    1,
    20,
  )({ default: 2, desc: 'Iterations of argon2id (OWASP minimum at 19456 KiB: 2).' }),
  KEYWARD_ARGON2_PARALLELISM: int(1, 16)({ default: 1, desc: 'Parallelism of one argon2id hash.' }),
  KEYWARD_CACHE_MIB: int(
    1,
    1_048_576,
  )({
    default: undefined,
    desc: 'Memory for cached keys in MiB, about 2 KiB for each. Unset: a quarter of the heap, at most 256.',
  }),
  KEYWARD_POOL_SIZE: int(
    2,
    200,
  )({ default: 10, desc: 'Database connections for management calls; verification has 7 more.' }),
  KEYWARD_PREPARED_STATEMENTS: onOff({
    default: true,
    desc: 'on, or off behind PgBouncer older than 1.21 in transaction mode.',
  }),
  KEYWARD_USAGE_HOURS_KEPT_DAYS: int(
    2,
    366,
  )({
    default: 35,
    desc: 'Days for which usage is kept by hour; after that it is kept by day.',
  }),
  KEYWARD_USAGE_DAYS_KEPT_DAYS: int(
    35,
    3660,
  )({
    default: 400,
    desc: 'Days for which usage is kept by day; after that it is kept by month.',
  }),
  KEYWARD_DELETED_KEYS_KEPT_DAYS: int(
    7,
    3660,
  )({
    default: 90,
    desc: 'Days after which a deleted key is removed; its usage stays with its workspace.',
  }),
  KEYWARD_RETIRED_SECRETS_KEPT_DAYS: int(
    7,
    3660,
  )({
    default: 90,
    desc: 'Days after which a string that a rotation has ended is removed; its usage stays with its key.',
  }),
  KEYWARD_LAST_USED_IP: str({
    default: 'truncated',
    choices: ['truncated', 'full', 'none'],
    desc: 'What is kept of the address that a key was last used from: its /24 or /48 network, all, or nothing.',
  }),
  KEYWARD_WEBHOOK_NETWORKS: networks({
    default: undefined,
    desc: 'Networks that webhooks may be sent to besides public addresses, also by http, such as `10.0.0.0/8,127.0.0.1`.',
  }),
  KEYWARD_DELIVERIES_KEPT_DAYS: int(
    1,
    3660,
  )({
    default: 30,
    desc: 'Days for which finished webhook deliveries and ended alerts are kept.',
  }),
  KEYWARD_AUDIT_STDOUT: onOff({
    default: false,
    desc: 'on: every entry of the audit logs is written to stdout too, as a line of JSON.',
  }),
  KEYWARD_LEAK_REPORTS: onOff({
    default: false,
    desc: 'on: `POST /v1/leaks` takes reports of leaked keys from anyone, and ends the keys.',
  }),
  KEYWARD_GITHUB_KEYS_URL: webUrl({
    default: 'https://api.github.com/meta/public_keys/secret_scanning',
    desc: 'Where the public keys are that GitHub signs its reports of leaked keys with.',
  }),
  KEYWARD_SHUTDOWN_SECONDS: int(
    1,
    3600,
  )({
    default: 20,
    desc: 'Maximum duration of a graceful stop in seconds; then the process ends anyway.',
  }),
};

export type Config = Readonly<{
  databaseUrl: string | undefined;
  host: string;
  port: number;
  logLevel: string;
  dataDirectory: string;
  /** Of both secrets, nothing is kept that reveals them. */
  rootKey: RootKey | null;
  pepper: Pepper | null;
  /** Whether to start without a pepper on a database of the operator. */
  allowNoSecret: boolean;
  console: boolean;
  /** In lower case. */
  keyHeader: string | undefined;
  /** SHA-256, in base64url. */
  metricsTokenDigest: string | undefined;
  usageFlushMs: number;
  staleIfErrorMs: number;
  maxInFlight: number;
  maxConnectionsPerAddress: number;
  logVerifyPerSecond: number;
  argon2: Readonly<{ memoryCost: number; timeCost: number; parallelism: number }>;
  memory: MemoryBudget;
  poolSize: number;
  preparedStatements: boolean;
  /** For how many days what is kept. */
  retention: Readonly<{
    hours: number;
    days: number;
    deletedKeys: number;
    retiredSecrets: number;
  }>;
  deliveriesKeptDays: number;
  lastUsedIp: 'truncated' | 'full' | 'none';
  /** Networks that webhooks may be sent to although they are not public. */
  webhookNetworks: readonly string[];
  auditToStdout: boolean;
  leakReports: boolean;
  githubKeysUrl: string;
  shutdownSeconds: number;
  /** Whether requests become spans that are exported. */
  traces: boolean;
}>;

/** What Kubernetes sets in every pod for a Service whose name begins with `keyward`. */
const SERVICE_LINK = /^KEYWARD_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)$/;

/** A misspelt setting would silently have its default. */
function unknownSettings(environment: NodeJS.ProcessEnv): string[] {
  const known = new Set([...Object.keys(SETTINGS), ...FROM_FILE.map((name) => `${name}_FILE`)]);
  return Object.keys(environment).filter(
    (name) => /^KEYWARD_/.test(name) && !known.has(name) && !isSetByOthers(name),
  );
}

function isSetByOthers(name: string): boolean {
  return name.startsWith('KEYWARD_TEST_') || SERVICE_LINK.test(name);
}

export class ConfigError extends OperatorError {
  override name = 'ConfigError';
}

/**
 * Reads and checks all settings. A ConfigError names everything that is not valid. Secrets are
 * taken out of the environment, so that neither memory nor child processes have them.
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const problems = unknownSettings(environment).map((name) => `${name}: is not a setting`);
  const settings = cleanEnv(withFiles(environment, problems), SETTINGS, {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors)) {
        problems.push(`${name}: ${error?.message ?? 'is not valid'}`);
      }
    },
  });
  for (const name of SECRETS) delete environment[name];
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  if (settings.KEYWARD_USAGE_DAYS_KEPT_DAYS < settings.KEYWARD_USAGE_HOURS_KEPT_DAYS) {
    throw new ConfigError(
      'KEYWARD_USAGE_DAYS_KEPT_DAYS: must not be less than KEYWARD_USAGE_HOURS_KEPT_DAYS',
    );
  }
  const memory = memoryBudget(heapLimit(), settings.KEYWARD_CACHE_MIB);
  return Object.freeze({
    databaseUrl: settings.DATABASE_URL,
    host: settings.HOST,
    port: settings.PORT,
    logLevel: settings.LOG_LEVEL,
    dataDirectory: settings.KEYWARD_DATA_DIR,
    rootKey:
      settings.KEYWARD_ROOT_KEY === undefined ? null : new RootKey(settings.KEYWARD_ROOT_KEY),
    pepper: pepperFrom(settings.KEYWARD_SECRET),
    allowNoSecret: settings.KEYWARD_ALLOW_NO_SECRET,
    console: settings.KEYWARD_CONSOLE,
    keyHeader: settings.KEYWARD_KEY_HEADER?.toLowerCase(),
    metricsTokenDigest: digestOf(settings.KEYWARD_METRICS_TOKEN),
    usageFlushMs: settings.KEYWARD_USAGE_FLUSH_MS,
    staleIfErrorMs: settings.KEYWARD_STALE_IF_ERROR_MS,
    maxInFlight: settings.KEYWARD_MAX_IN_FLIGHT ?? memory.requests,
    maxConnectionsPerAddress: settings.KEYWARD_MAX_CONNECTIONS_PER_ADDRESS,
    logVerifyPerSecond: settings.KEYWARD_LOG_VERIFY_PER_SECOND,
    argon2: Object.freeze({
      memoryCost: settings.KEYWARD_ARGON2_MEMORY_KIB,
      timeCost: settings.KEYWARD_ARGON2_ITERATIONS,
      parallelism: settings.KEYWARD_ARGON2_PARALLELISM,
    }),
    memory: Object.freeze(memory),
    poolSize: settings.KEYWARD_POOL_SIZE,
    preparedStatements: settings.KEYWARD_PREPARED_STATEMENTS,
    retention: Object.freeze({
      hours: settings.KEYWARD_USAGE_HOURS_KEPT_DAYS,
      days: settings.KEYWARD_USAGE_DAYS_KEPT_DAYS,
      deletedKeys: settings.KEYWARD_DELETED_KEYS_KEPT_DAYS,
      retiredSecrets: settings.KEYWARD_RETIRED_SECRETS_KEPT_DAYS,
    }),
    deliveriesKeptDays: settings.KEYWARD_DELIVERIES_KEPT_DAYS,
    lastUsedIp: settings.KEYWARD_LAST_USED_IP,
    webhookNetworks: Object.freeze(settings.KEYWARD_WEBHOOK_NETWORKS ?? []),
    auditToStdout: settings.KEYWARD_AUDIT_STDOUT,
    leakReports: settings.KEYWARD_LEAK_REPORTS,
    githubKeysUrl: settings.KEYWARD_GITHUB_KEYS_URL,
    shutdownSeconds: settings.KEYWARD_SHUTDOWN_SECONDS,
    traces: areTracesWanted(environment),
  });
}

/** OpenTelemetry's own variables, which its libraries read once they are loaded. */
function areTracesWanted(environment: NodeJS.ProcessEnv): boolean {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = environment;
  if (environment.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return false;
  return Boolean(OTEL_EXPORTER_OTLP_ENDPOINT || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
}

function digestOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : hash('sha256', text, 'base64url');
}

/** The environment with each `NAME_FILE` read into `NAME`, without the final line end. */
function withFiles(environment: NodeJS.ProcessEnv, problems: string[]): NodeJS.ProcessEnv {
  const result = { ...environment };
  for (const name of FROM_FILE) {
    const path = environment[`${name}_FILE`];
    if (path === undefined) continue;
    if (environment[name] !== undefined) problems.push(`${name}: is set twice, also as a file`);
    result[name] = readSetting(name, path, problems);
  }
  return result;
}

function readSetting(name: string, path: string, problems: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch {
    problems.push(`${name}_FILE: cannot read ${path}`);
    return undefined;
  }
}
