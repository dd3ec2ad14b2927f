import type { Authenticate, Present } from './call-context.ts';
import type { Config } from './config.ts';
import { Argon2Hasher } from './credentials/argon2-hasher.ts';
import { Authenticator } from './credentials/authenticator.ts';
import { CredentialCache } from './credentials/credential-cache.ts';
import { CredentialResolver } from './credentials/credential-resolver.ts';
import { ImportedAlgorithms } from './credentials/imported-algorithms.ts';
import { SecretIssuer } from './credentials/issuer.ts';
import { LookupBudget } from './credentials/lookup-budget.ts';
import { metricsReaders } from './credentials/metrics-readers.ts';
import { SecretVerifier } from './credentials/secret-verifier.ts';
import { createSecretWrites } from './credentials/secret-writes.ts';
import type { VerdictCounter } from './domain/verdict.ts';
import type { Kernel } from './kernel.ts';
import { QuotaReader } from './keys/quota-reader.ts';
import { SharedBound } from './lib/shared-bound.ts';
import { QuotaLimiter } from './quotas/quota-limiter.ts';
import { QuotaStore } from './quotas/quota-store.ts';
import { countBeforeAnswering } from './usage/count-before-answering.ts';
import { UsageCounters } from './usage/counters.ts';
import { UsageFlusher } from './usage/flusher.ts';
import { UsageFold } from './usage/fold.ts';
import { appendToLog } from './usage/log-store.ts';
import { Verifier } from './verification/verifier.ts';
import { WhoamiService } from './whoami/service.ts';

const MAX_BATCH = 200;
/** How many of the items of batches at work may be of one caller. */
const CALLER_SHARE = 0.75;
/** Writes in flight where answers wait for them; else one is enough. */
const AWAITED_WRITES = 2;

export type Credentials = ReturnType<typeof createCredentials>;
export type Usage = ReturnType<typeof createUsage>;
export type Quotas = ReturnType<typeof createQuotas>;

/** Issues secrets, and resolves presented strings to what they are credentials of. */
export function createCredentials(kernel: Kernel) {
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

/** Counts verifications in memory, writes the counters to a log, and folds that. */
export function createUsage({ config, log, database, instance }: Kernel) {
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
export function createQuotas({ config, database, instance, clockOffset, fence }: Kernel) {
  const { waiting, denials } = config.memory;
  const store = new QuotaStore(database, instance, clockOffset, waiting);
  const limiter = new QuotaLimiter(store, () => fence.incarnation, denials);
  fence.subscribe(limiter);
  return { store, limiter };
}

/** Answers for presented keys. */
export function createDataPlane(
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
    batchItems: newBatchItems(config),
    gateway: { keyHeader: config.keyHeader, now: () => clock.now() },
    whoami: new WhoamiService({
      ...{ resolver, authenticator, clock, unitOfWork },
      quotas: new QuotaReader(orm, clock),
    }),
  };
}

/** Fewer than may wait for the database, so that single verifications always find room there. */
function newBatchItems({ memory: { waiting }, maxInFlight }: Config): SharedBound {
  return new SharedBound(Math.max(MAX_BATCH, waiting - maxInFlight), CALLER_SHARE);
}
