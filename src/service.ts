import type { AlertJob } from './alerts/job.ts';
import { alertMetrics } from './alerts/metrics.ts';
import { buildApp } from './app.ts';
import { type Background, createBackground } from './background.ts';
import { createConsole, createControlPlane, createLeaks } from './control-plane.ts';
import type { Argon2Hasher } from './credentials/argon2-hasher.ts';
import type { CredentialCache } from './credentials/credential-cache.ts';
import {
  type Credentials,
  createCredentials,
  createDataPlane,
  createQuotas,
  createUsage,
  type Quotas,
  type Usage,
} from './data-plane.ts';
import { Database } from './db/database.ts';
import { findUnsafeSettings } from './db/expected-settings.ts';
import { findOtherSecrets } from './db/known-secrets.ts';
import { expectedMigrations } from './db/migrate.ts';
import type { Fence } from './freshness/fence.ts';
import type { App } from './http/app-type.ts';
import { migrationsCheck, type ReadinessChecks } from './http/health.ts';
import { KeyDetector } from './http/key-detector.ts';
import { UnsentAnswers } from './http/unsent-answers.ts';
import type { IdlePolicyJob } from './idle-policy/job.ts';
import { createKernel, type Kernel, type ServiceOptions } from './kernel.ts';
import type { Leaks } from './leaks/leaks.ts';
import { buildInfo } from './lib/build-info.ts';
import type { Clock } from './lib/clock.ts';
import { counter } from './lib/metric.ts';
import { suppressedLines } from './lib/repeated-lines.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import type { Retention } from './retention/jobs.ts';
import { retentionMetrics } from './retention/metrics.ts';
import type { UsageFlusher } from './usage/flusher.ts';
import type { UsageFold } from './usage/fold.ts';
import type { Verifier } from './verification/verifier.ts';
import type { Dispatcher } from './webhooks/sending/dispatcher.ts';

export interface Service extends Lifecycle {
  app: App;
  /** Makes a link to the console that signs in once; null if there is no console. */
  signInLink: (() => string) | null;
  /** What the operator should know at the start, one sentence each. */
  warnings: readonly string[];
  /** For tests alone. */
  internals: {
    hasher: Argon2Hasher;
    fence: Fence;
    cache: CredentialCache;
    flusher: UsageFlusher;
    fold: UsageFold;
    database: Database;
    clock: Clock;
    retention: Retention;
    alerts: AlertJob;
    deliveries: Dispatcher;
    idlePolicy: IdlePolicyJob;
  };
}

/** Leaves no connection behind if it fails. */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { poolSize, preparedStatements } = options.config;
  const database = new Database({ url: options.databaseUrl, poolSize, preparedStatements });
  try {
    return await buildService(options, database);
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The composition root. Everything is built here, in the order in which it depends on each other. */
async function buildService(options: ServiceOptions, database: Database): Promise<Service> {
  const { config, log } = options;
  const kernel = await createKernel(options, database);
  const credentials = createCredentials(kernel);
  const usage = createUsage(kernel);
  const quotas = createQuotas(kernel);
  const background = await createBackground(kernel, usage.fold);
  await kernel.fence.waitUntilFresh();
  const dataPlane = createDataPlane(kernel, credentials, usage.counter, quotas.limiter);
  const controlPlane = createControlPlane(kernel, credentials);
  const leaks = createLeaks(kernel, credentials);
  const console = config.console ? createConsole(kernel, controlPlane) : null;
  const tracing = config.traces ? (await import('./tracing.ts')).startTracing(kernel.log) : null;
  const app = await buildApp({
    log,
    registerTracing: tracing?.register,
    maxConnectionsPerAddress: config.maxConnectionsPerAddress,
    maxInFlight: config.maxInFlight,
    management: kernel.management,
    memory: config.memory,
    logVerifyPerSecond: config.logVerifyPerSecond,
    keyDetector: new KeyDetector(kernel.checksumKey, config.rootKey),
    readiness: createReadinessChecks(kernel),
    unsent: new UnsentAnswers(config.memory.unsentBytes),
    ...dataPlane,
    ...controlPlane,
    leaks,
    console,
    ...createMetrics(kernel, { credentials, usage, quotas, background, leaks, ...dataPlane }),
  });
  const { fence, clock } = kernel;
  const { hasher, cache } = credentials;
  const { flusher, fold } = usage;
  const { retention, alerts, idlePolicy, deliveries, tasks } = background;
  return {
    app,
    ...createLifecycle(kernel, {
      ...{ app, leakQueue: leaks.queue, flusher, tasks, deliveries, stopTracing: tracing?.stop },
    }),
    signInLink: console && (() => console.link.issue()),
    warnings: await findWarnings(kernel),
    internals: {
      hasher,
      fence,
      cache,
      flusher,
      fold,
      database,
      clock,
      retention,
      alerts,
      deliveries,
      idlePolicy,
    },
  };
}

async function findWarnings({ orm, pepper }: Kernel): Promise<string[]> {
  const otherSecrets = pepper ? await findOtherSecrets(orm, pepper.id) : [];
  return [...(await findUnsafeSettings(orm)), ...otherSecrets];
}

function createReadinessChecks({ orm, fence }: Kernel): ReadinessChecks {
  return {
    database: () => fence.waitUntilFresh().then(() => 'ok'),
    migrations: () => migrationsCheck(orm, expectedMigrations()),
  };
}

interface Measured {
  credentials: Credentials;
  usage: Usage;
  quotas: Quotas;
  verifier: Verifier;
  background: Background;
  leaks: Leaks;
}

/** What is measured, wherever: a part that has metrics has a getter of them, and is named here. */
function createMetrics(
  { database, fence, postgres }: Kernel,
  { credentials, usage, quotas, verifier, background, leaks }: Measured,
) {
  const { cache, secrets, hasher } = credentials;
  const { counters, flusher, fold } = usage;
  const { limiter, store } = quotas;
  const { retention, alerts, deliveries } = background;
  const limited = [cache, secrets, limiter, store, counters, hasher, database, leaks];
  const measured = [
    ...[verifier, fence, cache, hasher, flusher, fold, store, limiter, database, leaks, deliveries],
  ];
  const suppressed = 'Repeated log lines that another line with their number stands for.';
  return {
    resourceLimits: limited.flatMap(({ resourceLimits }) => resourceLimits),
    metrics: [
      ...measured.flatMap(({ metrics }) => metrics),
      counter('keyward_log_lines_suppressed_total', suppressed, suppressedLines),
      ...retentionMetrics(retention),
      ...alertMetrics(alerts),
      buildInfo(postgres),
    ],
  };
}
