import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { buildApp } from './app.ts';
import { AuditService } from './audit/service.ts';
import type { Authenticate, Present } from './call-context.ts';
import type { Config } from './config.ts';
import { ConsoleGate } from './console/gate.ts';
import { createLocalKey } from './console/local-key.ts';
import { Sessions } from './console/sessions.ts';
import { SignInLink } from './console/sign-in-link.ts';
import { Argon2Hasher } from './credentials/argon2-hasher.ts';
import { Authenticator } from './credentials/authenticator.ts';
import { CredentialCache } from './credentials/credential-cache.ts';
import { CredentialResolver } from './credentials/credential-resolver.ts';
import { ImportedAlgorithms } from './credentials/imported-algorithms.ts';
import { SecretIssuer, type StoredProof } from './credentials/issuer.ts';
import { LookupBudget } from './credentials/lookup-budget.ts';
import { metricsReaders } from './credentials/metrics-readers.ts';
import { SecretVerifier, type StoredSecret } from './credentials/secret-verifier.ts';
import { storeProof, storeRehash } from './credentials/store.ts';
import { deleteOldBatchSequences } from './db/batch-sequences.ts';
import { Database, type Orm } from './db/database.ts';
import { findUnsafeSettings } from './db/expected-settings.ts';
import { readChecksumKey } from './db/installation.ts';
import { findOtherSecrets, recordSecretUse } from './db/known-secrets.ts';
import { expectedMigrations } from './db/migrate.ts';
import { readServerVersion } from './db/server-version.ts';
import type { VerdictCounter } from './domain/verdict.ts';
import { deleteFutureRows, pruneFeed } from './freshness/feed-pruning.ts';
import { Fence } from './freshness/fence.ts';
import type { App } from './http/app-type.ts';
import { migrationsCheck, type ReadinessChecks } from './http/health.ts';
import { KeyDetector } from './http/key-detector.ts';
import type { ManagementQueue } from './http/management-places.ts';
import { UnsentAnswers } from './http/unsent-answers.ts';
import { BulkRevokeService } from './keys/bulk-revoke/service.ts';
import { CreditsService } from './keys/credits/service.ts';
import { DeletedWorkspaces } from './keys/deleted-workspaces.ts';
import { ExplainService } from './keys/explain/service.ts';
import { FindService } from './keys/find/service.ts';
import { ImportService } from './keys/import/service.ts';
import { ListingService } from './keys/listing/service.ts';
import { QuotaReader } from './keys/quota-reader.ts';
import { RotationService } from './keys/rotation/service.ts';
import { KeyService } from './keys/service.ts';
import { countKeys, endKeysOfWorkspace, hasKeys } from './keys/store.ts';
import { Clock } from './lib/clock.ts';
import { FairQueue, type Ticket } from './lib/fair-queue.ts';
import { stopInOrder } from './lib/lifecycle.ts';
import type { Log, LogEvent } from './lib/log-events.ts';
import { counter, type Metric } from './lib/metric.ts';
import { OverloadError } from './lib/overload-error.ts';
import { packageVersion } from './lib/package-version.ts';
import { PeriodicTask } from './lib/periodic-task.ts';
import { suppressedLines } from './lib/repeated-lines.ts';
import { SharedBound } from './lib/shared-bound.ts';
import { ManagementService } from './management/service.ts';
import { revokeManagementKeysOfWorkspace } from './management/store.ts';
import { OwnerService } from './owners/service.ts';
import { QuotaLimiter } from './quotas/quota-limiter.ts';
import { QuotaStore } from './quotas/quota-store.ts';
import { HygieneService } from './reports/hygiene/service.ts';
import { Retention } from './retention/jobs.ts';
import { retentionMetrics } from './retention/metrics.ts';
import { deleteOldAnswers } from './unit-of-work/idempotency-store.ts';
import { UnitOfWork } from './unit-of-work/unit-of-work.ts';
import { countBeforeAnswering } from './usage/count-before-answering.ts';
import { UsageCounters } from './usage/counters.ts';
import { UsageFlusher } from './usage/flusher.ts';
import { UsageFold } from './usage/fold.ts';
import { appendToLog } from './usage/log-store.ts';
import { UsageQueryService } from './usage/query/service.ts';
import { UsageService } from './usage/service.ts';
import { Verifier } from './verification/verifier.ts';
import { DeliveriesService } from './webhooks/deliveries/service.ts';
import { deleteDeliveriesOfEnded } from './webhooks/deliveries/store.ts';
import { WebhookService } from './webhooks/service.ts';
import { deleteWebhooksOfWorkspace } from './webhooks/store.ts';
import { WhoamiService } from './whoami/service.ts';
import { WorkspaceService } from './workspaces/service.ts';

const HOUSEKEEPING_MS = 60_000;
const URGENT_PLACES = 2;
const MAX_BATCH = 200;
/** How many of the items of batches at work may be of one caller. */
const CALLER_SHARE = 0.75;
const MANAGEMENT_BOUNDS = { maxWaitingEach: 128, maxWaiting: 1024, reason: 'management' } as const;
/** Of the places, for one group of callers. */
const GROUP_SHARE = 0.5;
/** Connections that writes of proofs and of rehashed secrets take, and how many of those may wait. */
const SECRET_WRITES = {
  ...{ places: 2, maxWaitingEach: 64, maxWaiting: 512 },
  reason: 'database',
} as const;
const BACKGROUND: Ticket = { group: ' background' };
/** Between attempts to write counters that could not be written before their answers. */
const RETRY_FLUSH_MS = 1000;
/** Writes in flight where answers wait for them; else one is enough. */
const AWAITED_WRITES = 2;
const FOLD_MS = 1000;
/** How much of the time of a stop each phase may take; the rest is the embedded database's. */
const STOP_SHARES = { requests: 0.5, counters: 0.3, connections: 0.1 };

export interface Service {
  app: App;
  /** Starts flushes, the fold, retention and housekeeping. The app does not listen yet. */
  start(): void;
  /** Finishes requests, writes the counters, closes the connections. Returns whether all succeeded. */
  stop(): Promise<boolean>;
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
  };
}

export interface ServiceOptions {
  config: Config;
  /** A migrated database. */
  databaseUrl: string;
  log: Logger;
  /** Milliseconds added to the clock; tests move time with it. */
  clockOffset?: () => number;
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

/** The composition root. Everything is built below, in the order in which it depends on each other. */
async function buildService(options: ServiceOptions, database: Database): Promise<Service> {
  const { config, log } = options;
  const kernel = await createKernel(options, database);
  const credentials = createCredentials(kernel);
  const usage = createUsage(kernel);
  const quotas = createQuotas(kernel);
  const retention = createRetention(kernel, usage);
  await kernel.fence.waitUntilFresh();
  const batchItems = newBatchItems(config);
  const dataPlane = createDataPlane(kernel, credentials, usage.counter, quotas.limiter);
  const controlPlane = createControlPlane(kernel, credentials);
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
    batchItems,
    unsent: new UnsentAnswers(config.memory.unsentBytes),
    ...dataPlane,
    ...controlPlane,
    console,
    ...createMetrics(kernel, credentials, usage, quotas, dataPlane.verifier, retention),
  });
  const { fence, clock } = kernel;
  const { hasher, cache } = credentials;
  const { flusher, fold } = usage;
  return {
    app,
    ...createLifecycle(kernel, app, usage, retention, tracing?.stop),
    signInLink: console && (() => console.link.issue()),
    warnings: await findWarnings(kernel),
    internals: { hasher, fence, cache, flusher, fold, database, clock, retention },
  };
}

async function findWarnings({ orm, pepper }: Kernel): Promise<string[]> {
  const otherSecrets = pepper ? await findOtherSecrets(orm, pepper.id) : [];
  return [...(await findUnsafeSettings(orm)), ...otherSecrets];
}

type Kernel = Awaited<ReturnType<typeof createKernel>>;
type Credentials = ReturnType<typeof createCredentials>;
type Usage = ReturnType<typeof createUsage>;
type Quotas = ReturnType<typeof createQuotas>;

/** What everything else stands on. */
async function createKernel(
  { config, log: logger, clockOffset = () => 0 }: ServiceOptions,
  database: Database,
) {
  const log: Log = logger;
  const { orm } = database;
  const checksumKey = await readChecksumKey(orm);
  await deleteFutureRows(orm);
  const clock = new Clock(clockOffset);
  const fence = new Fence(database, clock);
  const { pepper } = config;
  const unitOfWork = new UnitOfWork(orm, clock, pepper);
  // Names this process in the numbers of its batches.
  const instance = randomUUID();
  const postgres = await readServerVersion(orm);
  return {
    postgres,
    ...{ config, log, clockOffset },
    ...{ database, orm, checksumKey, clock, fence, pepper, unitOfWork, instance },
    management: managementQueue(config),
  };
}

/** Fewer places than connections, so that urgent calls find one; background jobs take places too. */
function managementQueue({ poolSize }: Config): ManagementQueue {
  const urgentPlaces = Math.min(URGENT_PLACES, poolSize - 1);
  const places = poolSize - urgentPlaces;
  const placesEach = Math.max(1, Math.floor(places * GROUP_SHARE));
  const queue = new FairQueue({ places, urgentPlaces, placesEach, ...MANAGEMENT_BOUNDS });
  return { places, queue };
}

/** Fewer than may wait for the database, so that single verifications always find room there. */
function newBatchItems({ memory: { waiting }, maxInFlight }: Config): SharedBound {
  return new SharedBound(Math.max(MAX_BATCH, waiting - maxInFlight), CALLER_SHARE);
}

/** Issues secrets, and resolves presented strings to what they are credentials of. */
function createCredentials(kernel: Kernel) {
  const { config, log, database, checksumKey, clock, fence, pepper } = kernel;
  const hasher = new Argon2Hasher(config.argon2);
  const issuer = new SecretIssuer(hasher, pepper, checksumKey);
  const secrets = new SecretVerifier({
    hasher,
    pepper,
    digestBytes: config.memory.digestBytes,
    ...createSecretWrites(database, issuer, log),
  });
  const { credentialBytes: bytes, loadedRows: rows, waiting } = config.memory;
  const { staleIfErrorMs } = config;
  const loads = { rows, waiting };
  const cache = new CredentialCache(database, fence, { bytes, loads, staleIfErrorMs });
  const imported = new ImportedAlgorithms(database, fence);
  const { rootKey } = config;
  const lookups = new LookupBudget(() => clock.now());
  const resolver = new CredentialResolver({
    ...{ cache, imported, lookups, secrets, rootKey, checksumKey },
  });
  return { hasher, issuer, secrets, cache, rootKey, resolver };
}

/**
 * Writes in the background, few at once: fences share these connections. One that fails, or finds too
 * many waiting, is repeated at the next use of the key.
 */
function createSecretWrites({ dataOrm }: Database, issuer: SecretIssuer, log: Log) {
  const queue = new FairQueue(SECRET_WRITES);
  const inTurn = (workspaceId: string | null, write: () => Promise<unknown>) =>
    queue.run({ group: workspaceId ?? '' }, write);
  const notDone = (event: LogEvent, message: string) => (err: unknown) =>
    log[err instanceof OverloadError ? 'debug' : 'warn']({ event, err }, message);
  return {
    storeProof: (secret: StoredSecret, proof: StoredProof) => {
      inTurn(secret.workspaceId, () => storeProof(dataOrm, secret, proof)).catch(
        notDone('proof.not_stored', 'a proof was not stored'),
      );
    },
    rehash: async (secret: StoredSecret, presented: string) => {
      await issuer
        .hashForStorage(secret.ref, presented, 'rehashing', { group: '' })
        .then((hashed) => inTurn(secret.workspaceId, () => storeRehash(dataOrm, secret, hashed)))
        .catch(notDone('rehash.not_stored', 'an imported key was not rehashed yet'));
    },
  };
}

/** Counts verifications in memory, writes the counters to a log, and folds that. */
function createUsage({ config, log, database, instance }: Kernel) {
  const isAwaited = config.usageFlushMs === 0;
  const counters = new UsageCounters(config.memory.counters);
  const flusher = new UsageFlusher(
    counters,
    (number, batch) => appendToLog(database, { instance, ...number }, batch, config.lastUsedIp),
    log,
    { streams: isAwaited ? AWAITED_WRITES : 1 },
  );
  const counter = isAwaited ? countBeforeAnswering(counters, flusher) : counters;
  return { counters, flusher, counter, fold: new UsageFold(database, log) };
}

/** Consumes rate limits and credits. */
function createQuotas({ config, database, instance, clockOffset, fence }: Kernel) {
  const { waiting, denials } = config.memory;
  const store = new QuotaStore(database, instance, clockOffset, waiting);
  const limiter = new QuotaLimiter(store, () => fence.incarnation, denials);
  fence.subscribe(limiter);
  return { store, limiter };
}

/** Answers for presented keys. */
function createDataPlane(
  { config, orm, clock, unitOfWork }: Kernel,
  { resolver, rootKey }: Credentials,
  usage: VerdictCounter,
  quotas: QuotaLimiter,
) {
  const authenticator = new Authenticator({ resolver, rootKey, usage, clock });
  const authenticate: Authenticate = (authorization) => authenticator.authenticate(authorization);
  const present: Present = (authorization) => authenticator.present(authorization);
  return {
    authenticate,
    present,
    mayReadMetrics: metricsReaders(config.metricsTokenDigest, rootKey),
    verifier: new Verifier({ resolver, quotas, usage, clock }),
    gateway: { keyHeader: config.keyHeader, now: () => clock.now() },
    whoami: new WhoamiService({
      ...{ resolver, authenticator, clock, unitOfWork },
      quotas: new QuotaReader(orm, clock),
    }),
  };
}

/** Manages keys, workspaces and management keys, and shows what became of them. */
function createControlPlane(
  { config, orm, clock, unitOfWork, management, pepper }: Kernel,
  { issuer, resolver, rootKey }: Credentials,
) {
  const { retention } = config;
  return {
    keys: {
      keys: new KeyService({ orm, unitOfWork, issuer, clock }),
      listing: new ListingService({ orm, clock }),
      rotation: new RotationService({ orm, unitOfWork, issuer, clock }),
      credits: new CreditsService(unitOfWork),
      explain: new ExplainService({ orm, clock }),
      finding: new FindService({ orm, resolver, clock }),
      imports: new ImportService(unitOfWork, rootKey),
      bulkRevoke: new BulkRevokeService(orm, unitOfWork),
    },
    owners: new OwnerService(orm, unitOfWork),
    workspaces: new WorkspaceService({
      orm,
      unitOfWork,
      countKeys: ({ tx }, id) => countKeys(tx, id),
      endSomeKeys: ({ tx, at }, id, by) => endKeysOfWorkspace(tx, id, by, at),
      hasKeys: ({ tx }, id) => hasKeys(tx, id),
      endManagementKeys: ({ tx, at }, id, by) => revokeManagementKeysOfWorkspace(tx, id, by, at),
      endWebhooks: ({ tx, at }, id) => deleteWebhooksOfWorkspace(tx, id, at),
    }),
    managementKeys: new ManagementService({ orm, unitOfWork, issuer, clock }),
    webhooks: new WebhookService({
      ...{ orm, unitOfWork, clock },
      sealingKey: pepper?.webhookKey ?? null,
      networks: config.webhookNetworks,
    }),
    deliveries: new DeliveriesService(orm, unitOfWork),
    usage: new UsageService(orm, clock, retention),
    usageQuery: new UsageQueryService({
      ...{ orm, clock, retention },
      inTurn: (group, read) => management.queue.run({ group, rests: true }, read),
    }),
    hygiene: new HygieneService(orm, clock),
    audit: new AuditService(orm),
  };
}

/** The page on which people manage keys, and its sessions. */
function createConsole(
  { clock, pepper }: Kernel,
  { managementKeys }: ReturnType<typeof createControlPlane>,
) {
  const now = () => clock.now();
  const sessions = new Sessions(pepper?.sessionKey ?? null, now);
  const makeKey = () =>
    createLocalKey((call, input) => managementKeys.create(call, input), clock.now());
  const link = new SignInLink(makeKey, now);
  return { sessions, gate: new ConsoleGate(sessions), link };
}

function createReadinessChecks({ orm, fence }: Kernel): ReadinessChecks {
  return {
    database: () => fence.waitUntilFresh().then(() => 'ok'),
    migrations: () => migrationsCheck(orm, expectedMigrations()),
  };
}

/** What is measured, wherever: a part that has metrics has a getter of them, and is named here. */
function createMetrics(
  { database, fence, postgres }: Kernel,
  { cache, secrets, hasher }: Credentials,
  { counters, flusher, fold }: Usage,
  { limiter, store }: Quotas,
  verifier: Verifier,
  retention: Retention,
) {
  const limited = [cache, secrets, limiter, store, counters, hasher, database];
  const measured = [verifier, fence, cache, hasher, flusher, fold, store, limiter, database];
  const suppressed = 'Repeated log lines that another line with their number stands for.';
  return {
    resourceLimits: limited.flatMap(({ resourceLimits }) => resourceLimits),
    metrics: [
      ...measured.flatMap(({ metrics }) => metrics),
      counter('keyward_log_lines_suppressed_total', suppressed, suppressedLines),
      ...retentionMetrics(retention),
      buildInfo(postgres),
    ],
  };
}

/** Moves usage on, and removes what is no longer kept. */
function createRetention({ config, log, orm, clock, management }: Kernel, { fold }: Usage) {
  return new Retention({
    ...{ orm, log, clock, fold },
    kept: config.retention,
    inTurn: (step) => management.queue.run(BACKGROUND, step),
  });
}

function buildInfo(postgres: string): Metric {
  const labels = { version: packageVersion(), node: process.versions.node, postgres };
  const help = 'Always 1: the versions of Keyward, of Node.js and, at the start, of Postgres.';
  const samples = () => [{ labels, value: 1 }];
  return { name: 'keyward_build_info', type: 'gauge', help, samples };
}

function createLifecycle(
  kernel: Kernel,
  app: App,
  { flusher, fold }: Usage,
  retention: Retention,
  stopTracing: (() => Promise<void>) | undefined,
) {
  const { config, log, orm, database, unitOfWork } = kernel;
  const folding = new PeriodicTask(() => fold.run(), FOLD_MS);
  const housekeeping = new PeriodicTask(() => runHousekeeping(kernel), HOUSEKEEPING_MS);
  const inTurn = <T>(step: () => Promise<T>) => kernel.management.queue.run(BACKGROUND, step);
  const deleted = new DeletedWorkspaces(orm, unitOfWork, log, inTurn);
  const deletions = new PeriodicTask(() => deleted.endKeys(), HOUSEKEEPING_MS);
  const retaining = new PeriodicTask(() => retention.run(), HOUSEKEEPING_MS);
  const deadlineOf = (share: number) => config.shutdownSeconds * 1000 * share;
  const { requests, counters, connections } = STOP_SHARES;
  const phases = [
    {
      name: 'requests',
      deadlineMs: deadlineOf(requests),
      run: () => app.close().finally(stopTracing),
    },
    { name: 'counters', deadlineMs: deadlineOf(counters), run: () => stopCounting(app, flusher) },
    { name: 'connections', deadlineMs: deadlineOf(connections), run: () => database.close() },
  ];
  return {
    start: () => {
      flusher.start(config.usageFlushMs || RETRY_FLUSH_MS);
      folding.start();
      housekeeping.start();
      deletions.start();
      retaining.start();
    },
    stop: () => {
      folding.stop();
      fold.stop();
      housekeeping.stop();
      deletions.stop();
      deleted.stop();
      retaining.stop();
      retention.stop();
      return stopInOrder(phases, log);
    },
  };
}

/** What would be answered from here on would not be counted. */
function stopCounting(app: App, flusher: UsageFlusher): Promise<void> {
  app.endConnections();
  return flusher.stop();
}

/** Housekeeping: deletes what has served its purpose, and shows which secret is in use. */
async function runHousekeeping({ orm, pepper, log, management }: Kernel): Promise<void> {
  const jobs: ((orm: Orm) => Promise<unknown>)[] = [
    ...[pruneFeed, deleteOldBatchSequences, deleteOldAnswers, deleteDeliveriesOfEnded],
    ...(pepper ? [() => recordSecretUse(orm, pepper.id)] : []),
  ];
  // One after another, so that they never hold more than one connection. One that fails stops no other.
  for (const job of jobs) {
    await management.queue
      .run(BACKGROUND, () => job(orm))
      .catch((err) =>
        log.warn({ event: 'housekeeping.failed', err }, 'housekeeping failed, will retry'),
      );
  }
}
