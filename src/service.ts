import { createSecretKey, type KeyObject, randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import { buildApp } from './app.ts';
import { AuditService } from './audit/service.ts';
import type { Authenticate } from './call-context.ts';
import type { Config } from './config.ts';
import { Argon2Hasher } from './credentials/argon2-hasher.ts';
import { Authenticator } from './credentials/authenticator.ts';
import { CredentialCache } from './credentials/credential-cache.ts';
import { CredentialResolver } from './credentials/credential-resolver.ts';
import { ImportedAlgorithms } from './credentials/imported-algorithms.ts';
import { SecretIssuer } from './credentials/issuer.ts';
import { Pepper } from './credentials/pepper.ts';
import { SecretVerifier } from './credentials/secret-verifier.ts';
import { storeProof, storeRehash } from './credentials/store.ts';
import { deleteOldBatchSequences } from './db/batch-sequences.ts';
import { Database } from './db/database.ts';
import { expectedMigrations } from './db/migrate.ts';
import { installation } from './db/schema.ts';
import type { VerdictCounter } from './domain/verdict.ts';
import { deleteFutureRows, pruneFeed } from './freshness/feed-pruning.ts';
import { Fence } from './freshness/fence.ts';
import type { App } from './http/app-type.ts';
import { closeApp } from './http/graceful-close.ts';
import { migrationsCheck } from './http/health.ts';
import { KeyDetector } from './http/key-detector.ts';
import { BulkRevokeService } from './keys/bulk-revoke/service.ts';
import { CreditsService } from './keys/credits/service.ts';
import { ExplainService } from './keys/explain/service.ts';
import { ImportService } from './keys/import/service.ts';
import { ListingService } from './keys/listing/service.ts';
import { RotationService } from './keys/rotation/service.ts';
import { KeyService } from './keys/service.ts';
import { deleteKeysOfWorkspace } from './keys/store.ts';
import { Clock } from './lib/clock.ts';
import { stopInOrder } from './lib/lifecycle.ts';
import { OverloadError } from './lib/overload-error.ts';
import { ManagementService } from './management/service.ts';
import { revokeManagementKeysOfWorkspace } from './management/store.ts';
import { QuotaLimiter } from './quotas/quota-limiter.ts';
import { QuotaStore } from './quotas/quota-store.ts';
import { deleteOldAnswers } from './unit-of-work/idempotency-store.ts';
import { UnitOfWork } from './unit-of-work/unit-of-work.ts';
import { UsageCounters } from './usage/counters.ts';
import { UsageFlusher } from './usage/flusher.ts';
import { UsageService } from './usage/service.ts';
import { writeUsage } from './usage/store.ts';
import { Verifier } from './verification/verifier.ts';
import { WhoamiService } from './whoami/service.ts';
import { WorkspaceService } from './workspaces/service.ts';

const USAGE_COUNTERS = 200_000;
const HOUSEKEEPING_MS = 60_000;
/** What could not be written before its answer is tried again so often. */
const RETRY_FLUSH_MS = 1000;

export interface Service {
  app: App;
  /** Begins to flush and to keep house; the app does not listen yet. */
  start(): void;
  /** Finishes requests, writes the counters, closes the connections. True where all went well. */
  stop(): Promise<boolean>;
  /** What tests and metrics look at. */
  internals: {
    hasher: Argon2Hasher;
    fence: Fence;
    cache: CredentialCache;
    flusher: UsageFlusher;
    database: Database;
    quotaStore: QuotaStore;
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

/** The composition root: everything is built here, in the order in which it depends. */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { config, log } = options;
  const database = new Database({
    url: options.databaseUrl,
    poolSize: config.poolSize,
    preparedStatements: config.preparedStatements,
  });
  const { orm, dataOrm } = database;
  const checksumKey = await readChecksumKey(database);
  await deleteFutureRows(orm);

  const clockOffset = options.clockOffset ?? (() => 0);
  const clock = new Clock(clockOffset);
  const pepper = config.secret === undefined ? null : new Pepper(config.secret);
  const hasher = new Argon2Hasher(config.argon2);
  const issuer = new SecretIssuer(hasher, pepper, checksumKey);
  const secrets = new SecretVerifier({
    hasher,
    pepper,
    capacity: config.cachedKeys,
    storeProof: (ref, proof) => {
      storeProof(dataOrm, ref, proof).catch((err) => log.warn({ err }, 'a proof was not stored'));
    },
    // After a failure, the next use of the key tries again.
    rehash: (ref, key) =>
      issuer
        .hashForStorage(key, 'rehashing')
        .then((sealed) => storeRehash(dataOrm, ref, sealed))
        .catch((err) => {
          const level = err instanceof OverloadError ? 'debug' : 'warn';
          log[level]({ err }, 'an imported key was not rehashed yet');
        }),
  });

  const fence = new Fence(database, clock);
  const cache = new CredentialCache(database, fence, config.cachedKeys, config.staleIfErrorMs);
  await fence.waitUntilFresh();

  const instance = randomUUID();
  const counters = new UsageCounters(USAGE_COUNTERS);
  const flusher = new UsageFlusher(
    counters,
    (sequence, batch) => writeUsage(dataOrm, { instance, stream: 'usage', sequence }, batch),
    log,
  );
  const usage = config.usageFlushMs === 0 ? countBeforeAnswering(counters, flusher) : counters;
  const quotaStore = new QuotaStore(database, instance, clockOffset);
  const quotas = new QuotaLimiter(quotaStore, () => fence.incarnation);
  fence.subscribe(quotas);
  const imported = new ImportedAlgorithms(database, fence);
  const resolver = new CredentialResolver({ cache, imported, secrets, checksumKey });
  const verifier = new Verifier({ resolver, quotas, usage, clock });
  const authenticator = new Authenticator({ resolver, secrets, usage, clock }, config.rootKey);

  const unitOfWork = new UnitOfWork(orm, clock, pepper);
  const authenticate: Authenticate = (authorization) => authenticator.authenticate(authorization);
  const app = await buildApp({
    log,
    maxInFlight: config.maxInFlight,
    logVerifyPerSecond: config.logVerifyPerSecond,
    keyDetector: new KeyDetector(checksumKey, config.rootKey),
    authenticate,
    identify: (authorization) => authenticator.identify(authorization),
    verifier,
    gateway: { keyHeader: config.keyHeader, now: () => clock.now() },
    whoami: new WhoamiService({ resolver, authenticator, clock, unitOfWork }),
    keys: {
      keys: new KeyService({ orm, unitOfWork, issuer, clock }),
      listing: new ListingService({ orm, clock }),
      rotation: new RotationService({ orm, unitOfWork, issuer, clock }),
      credits: new CreditsService(unitOfWork),
      explain: new ExplainService({ orm, clock }),
      imports: new ImportService(unitOfWork),
      bulkRevoke: new BulkRevokeService(unitOfWork),
    },
    workspaces: new WorkspaceService({
      orm,
      unitOfWork,
      endKeys: ({ tx, at }, id, by) => deleteKeysOfWorkspace(tx, id, by, at),
      endManagementKeys: ({ tx, at }, id, by) => revokeManagementKeysOfWorkspace(tx, id, by, at),
    }),
    managementKeys: new ManagementService({ orm, unitOfWork, issuer, clock }),
    usage: new UsageService(orm, clock),
    audit: new AuditService(orm),
    readiness: {
      database: () => fence.waitUntilFresh().then(() => 'ok'),
      migrations: () => migrationsCheck(orm, expectedMigrations()),
    },
    resourceLimits: [cache, secrets, quotas, quotaStore, counters, hasher, database].flatMap(
      ({ resourceLimits: bounds }) => bounds,
    ),
    operationCounters: [
      {
        name: 'keyward_fences_total',
        help: 'Fence statements sent to the database.',
        count: () => fence.count,
      },
      {
        name: 'keyward_credential_loads_total',
        help: 'Statements sent that load credentials into the cache.',
        count: () => cache.loads,
      },
      {
        name: 'keyward_argon2_runs_total',
        help: 'Argon2 hashes computed.',
        count: () => hasher.runs,
      },
      {
        name: 'keyward_quota_statements_total',
        help: 'Statements sent that consume rate limits and credits.',
        count: () => quotaStore.count,
      },
    ],
  });

  const housekeeping = () =>
    Promise.all([pruneFeed(orm), deleteOldBatchSequences(orm), deleteOldAnswers(orm)]).catch(
      (err) => log.warn({ err }, 'housekeeping failed, will retry'),
    );
  let timer: NodeJS.Timeout | undefined;
  return {
    app,
    start: () => {
      flusher.start(config.usageFlushMs || RETRY_FLUSH_MS);
      timer = setInterval(() => void housekeeping(), HOUSEKEEPING_MS);
    },
    stop: () => {
      clearInterval(timer);
      const share = config.shutdownSeconds * 1000;
      return stopInOrder(
        [
          { name: 'requests', deadlineMs: share * 0.5, run: () => closeApp(app) },
          { name: 'counters', deadlineMs: share * 0.3, run: () => flusher.stop() },
          { name: 'connections', deadlineMs: share * 0.1, run: () => database.close() },
        ],
        log,
      );
    },
    internals: { hasher, fence, cache, flusher, database, quotaStore },
  };
}

/** The answer waits for the commit of its count; those who wait together share one. */
function countBeforeAnswering(counters: UsageCounters, flusher: UsageFlusher): VerdictCounter {
  return {
    reserve: () => counters.reserve(),
    count: (...verdict) => {
      counters.count(...verdict);
      return flusher.flush();
    },
    countUnmatched: (...verdict) => {
      counters.countUnmatched(...verdict);
      return flusher.flush();
    },
  };
}

async function readChecksumKey({ orm }: Database): Promise<KeyObject> {
  const [row] = await orm.select({ key: installation.checksumKey }).from(installation);
  if (!row) throw new Error('the database has no installation row; run the migrations');
  return createSecretKey(row.key);
}

/** Settings of the database under which promises do not hold, and what an operator should know. */
const EXPECTED_SETTINGS = {
  fsync: ['on', 'a crash can undo what Keyward acknowledged'],
  default_transaction_isolation: [
    'read committed',
    'limits would be judged by what was true before they were locked',
  ],
} as const;

export async function databaseWarnings({ orm }: Database): Promise<string[]> {
  const { rows } = await orm.execute<Record<keyof typeof EXPECTED_SETTINGS, string>>(sql`
    select current_setting('fsync') as fsync,
           current_setting('default_transaction_isolation') as default_transaction_isolation`);
  return Object.entries(rows[0] ?? {}).flatMap(([name, value]) => {
    const [wanted, why] =
      EXPECTED_SETTINGS[name === 'fsync' ? name : 'default_transaction_isolation'];
    return value === wanted ? [] : [`The database runs with ${name} = ${value}: ${why}.`];
  });
}
