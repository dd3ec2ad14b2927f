/** A part of the source, and the tests that are to notice when it is changed. Globs, from the root. */
export interface Area {
  sources: readonly string[];
  tests: readonly string[];
  /** Changes the SQL in these files in place of their TypeScript. */
  sql?: true;
}

const FENCE_TESTS = [
  'test/api/fence-*.test.ts',
  'test/api/{clock-backwards,feed-pruning,feed-triggers,stale-if-error}.test.ts',
  'test/unit/time-share.test.ts',
];
const VERIFICATION_TESTS = [
  'test/api/authentication.test.ts',
  'test/api/authorize.test.ts',
  'test/api/batch.test.ts',
  'test/api/changed-secret.test.ts',
  'test/api/concurrency.test.ts',
  'test/api/life-of-a-key.test.ts',
  'test/api/overload.test.ts',
  'test/api/proofs.test.ts',
  'test/api/rotation.test.ts',
  'test/api/stale-if-error.test.ts',
  'test/api/whoami.test.ts',
  'test/api/{argon2-queues,ended-strings,presented-key,presented-strings,proof-writes}.test.ts',
  'test/api/{not-found,proofs-of-new-strings,records-of-rotations,whoami-quota}.test.ts',
  'test/unit/{pepper,secret-end}.test.ts',
];
const LIMIT_TESTS = [
  'test/api/{authorize,credits,metrics-bounds,refill-instant}.test.ts',
  'test/api/limits*.test.ts',
];
const USAGE_TESTS = [
  'test/api/{count-before-answering,last-used-from}.test.ts',
  'test/api/usage-*.test.ts',
];
const CHANGE_TESTS = [
  'test/api/audit-{list,writers}.test.ts',
  'test/api/bulk-revoke.test.ts',
  'test/api/idempotency.test.ts',
  'test/api/if-match.test.ts',
  'test/api/import.test.ts',
  'test/api/list-filters.test.ts',
  'test/api/mutating-calls.test.ts',
  'test/api/pagination.test.ts',
  'test/api/policies.test.ts',
  'test/api/rotation.test.ts',
  'test/api/{durability,etags,lock-order,plain-fields,refused-before-argon2}.test.ts',
  'test/api/{retried-changes,revocation-history,tenants,workspace-locks}.test.ts',
  'test/api/{kinds-bounds,kinds-lists,kinds-round-trip,conditions-and-replays}.test.ts',
  'test/api/{policies-of-old-keys,records-of-*,very-instants,waiting-changes}.test.ts',
];

export const AREAS: Readonly<Record<string, Area>> = {
  domain: {
    sources: ['src/domain/*.ts'],
    tests: [
      'test/unit/{bearer-token,client-context,decide,imported-key,ip,ip-ranges,key-detector}.test.ts',
      'test/unit/{key-string,limits,pepper,policy-checks,refill,scopes,status}.test.ts',
      'test/unit/{stored-quotas,stored-size,time}.test.ts',
      'test/api/{forged-rows,root-key-in-text,whoami}.test.ts',
    ],
  },
  fence: {
    sources: ['src/freshness/*.ts', 'src/lib/clock.ts'],
    tests: FENCE_TESTS,
  },
  cache: {
    sources: [
      'src/credentials/{credential,credential-row,credential-loader,credential-cache}.ts',
      'src/credentials/{credential-size,unknown-refs}.ts',
      'src/lib/request-batcher.ts',
    ],
    tests: [
      ...FENCE_TESTS,
      ...VERIFICATION_TESTS,
      'test/api/{broken-rows,forged-*,global-ids}.test.ts',
      'test/unit/{credential-size,request-batcher}.test.ts',
    ],
  },
  verification: {
    sources: [
      'src/credentials/{authenticator,credential-resolver,imported-algorithms}.ts',
      'src/credentials/lookup-budget.ts',
      'src/verification/{verifier,answer}.ts',
      'src/whoami/service.ts',
    ],
    tests: [
      ...VERIFICATION_TESTS,
      'test/api/{forged-*,import-floods,import-lookups,limits,usage-full}.test.ts',
    ],
  },
  secrets: {
    sources: [
      'src/credentials/{argon2-hasher,issuer,rotation,secret-verifier,store,suspect-refs}.ts',
      'src/lib/fair-queue.ts',
    ],
    tests: [
      ...VERIFICATION_TESTS,
      'test/api/{forged-strings,management-places,no-plaintext,refused-before-argon2}.test.ts',
      'test/api/{import,metrics}.test.ts',
      'test/unit/{fair-queue,suspect-refs}.test.ts',
    ],
  },
  quotas: {
    sources: ['src/quotas/*.ts', 'src/keys/{quota-columns,quota-status}.ts'],
    tests: LIMIT_TESTS,
  },
  usage: {
    sources: ['src/owners/*.ts', 'src/usage/{counters,flusher,log-store,service,store}.ts'],
    tests: [...USAGE_TESTS, 'test/unit/usage-*.test.ts'],
  },
  changes: {
    sources: [
      'src/unit-of-work/*.ts',
      'src/keys/{service,store,key-change,key-patch,revocation,workspace-policies,policy-checks}.ts',
    ],
    tests: CHANGE_TESTS,
  },
  management: {
    sources: ['src/management/{change,grants,presenter,revocation,service,store}.ts'],
    tests: [
      'test/api/{management-*,weakened-management-keys,very-instants}.test.ts',
      'test/api/{etags,if-match,records-of-rotations,refused-before-argon2,tenants}.test.ts',
      'test/api/{workspaces-deletion,workspaces-generations,revocation-history}.test.ts',
    ],
  },
  workspaces: {
    sources: ['src/workspaces/{service,store}.ts', 'src/keys/deleted-workspaces.ts'],
    tests: [
      'test/api/{workspace*,recreated-workspaces,jobs-of-an-instance}.test.ts',
      'test/api/{conditions-and-replays,if-match,lock-order,mutating-calls}.test.ts',
      'test/api/{kinds-bounds,pagination,tenants,waiting-changes}.test.ts',
    ],
  },
  audit: {
    sources: ['src/audit/{append,chain,chain-walk,check,growth,repair,retention,service}.ts'],
    tests: [
      'test/api/{audit-*,housekeeping,records-of-changes,stored-quotas-of-tenants}.test.ts',
      'test/api/suspended-tenants.test.ts',
      'test/unit/audit-*.test.ts',
    ],
  },
  lists: {
    sources: ['src/keys/listing/{filters,store}.ts', 'src/audit/{listing,store}.ts'],
    tests: ['test/api/{list-*,pagination,kinds-lists,tenants}.test.ts', 'test/api/audit-*.test.ts'],
  },
  database: {
    sources: ['src/db/{database,errors,text-query}.ts'],
    tests: [
      'test/api/{concurrency,fence-outage,limits-deadlocks,limits-failures,list-timeout}.test.ts',
      'test/api/{overload,database-errors,database-timeouts,database-pools}.test.ts',
      'test/api/{database-transactions,database-wait,metrics,retried-changes}.test.ts',
      'test/api/{service-pools,service-stop,text-query}.test.ts',
      'test/unit/database-errors.test.ts',
    ],
  },
  errors: {
    sources: ['src/http/{error-handler,problem}.ts'],
    tests: [
      'test/api/{bad-input*,database-errors,doors-bodies,error-answers,kinds-refusals}.test.ts',
      'test/api/{fence-outage,list-timeout,not-found,pagination}.test.ts',
      'test/api/{request-quotas,root-key-in-text}.test.ts',
      'test/unit/problem.test.ts',
    ],
  },
  wiring: {
    sources: ['src/{app,background,control-plane,data-plane,kernel,lifecycle,service}.ts'],
    tests: [
      ...VERIFICATION_TESTS,
      ...LIMIT_TESTS,
      ...USAGE_TESTS,
      'test/api/{audit-retention,feed-pruning,metrics,request-log,service-stop}.test.ts',
      'test/api/{housekeeping,housekeeping-jobs,fence-service,service-pools}.test.ts',
      'test/api/{service-settings,metrics-bounds,metrics-operations,readiness}.test.ts',
      'test/api/{failed-starts,jobs-of-an-instance,repeated-headers}.test.ts',
      'test/api/{request-time,root-key-in-text}.test.ts',
      'test/api/{import*,workspaces-*,audit-verification,limits-*}.test.ts',
    ],
  },
  queries: {
    sources: [
      'src/freshness/{feed-pruning,fence}.ts',
      'src/credentials/{credential-row,store}.ts',
      'src/quotas/{quota-store,consumption-store}.ts',
    ],
    tests: [...FENCE_TESTS, ...VERIFICATION_TESTS, ...LIMIT_TESTS],
    sql: true,
  },
  migrations: {
    sources: ['migrations/*.sql'],
    tests: [...FENCE_TESTS, ...LIMIT_TESTS, ...USAGE_TESTS, 'test/api/audit-writers.test.ts'],
    sql: true,
  },
};
