import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  customType,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import type { Permission } from '../domain/caller.ts';
import type { JsonObject } from '../domain/json.ts';
import {
  actor,
  alertThresholds,
  availableScopes,
  idlePolicy,
  instant,
  metadata,
  texts,
} from './stored-types.ts';

/**
 * The tables that the application reads and writes. Those of the fence (`change_feed`,
 * `feed_horizons`, `feed_pruned`, `incarnation`) and the triggers are SQL alone: see migrations/.
 */
const count = (name: string) => bigint(name, { mode: 'number' });
const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
/** `<epoch ms> <network> <user agent>`: of such texts the greatest is the latest. */
const usedFrom = () => text('last_used_from');

/** One row, which the first migration generated for this installation. */
export const installation = pgTable('installation', {
  id: integer('id').primaryKey(),
  checksumKey: bytea('checksum_key').notNull(),
});

/** Each KEYWARD_SECRET by its id, which does not reveal it. */
export const knownSecrets = pgTable('known_secrets', {
  id: text('id').primaryKey(),
  lastUsedAt: instant('last_used_at').notNull(),
});

export const workspaces = pgTable(
  'workspaces',
  {
    id: text('id').primaryKey(),
    status: text('status', { enum: ['active', 'suspended'] })
      .notNull()
      .default('active'),
    name: text('name'),
    defaultPrefix: text('default_prefix').notNull().default('ak_live'),
    apiAccess: boolean('api_access').notNull().default(true),
    maxActiveKeys: integer('max_active_keys'),
    maxKeys: integer('max_keys'),
    maxAuditEvents: integer('max_audit_events'),
    maxRequestsPerSecond: integer('max_requests_per_second'),
    requireExpiry: boolean('require_expiry').notNull().default(false),
    maxLifetimeSeconds: integer('max_lifetime_seconds'),
    requireResource: boolean('require_resource').notNull().default(false),
    availableScopes: availableScopes('available_scopes'),
    immutableKeys: boolean('immutable_keys').notNull().default(false),
    /** Null: the defaults. */
    alertThresholds: alertThresholds('alert_thresholds'),
    /** Null: the default. */
    idlePolicy: idlePolicy('idle_policy'),
    leakResponse: text('leak_response', { enum: ['revoke', 'rotate'] })
      .notNull()
      .default('revoke'),
    /** The number of changes, which is the ETag. */
    revision: integer('revision').notNull().default(1),
    createdAt: instant('created_at').notNull().default(sql`now()`),
    updatedAt: instant('updated_at').notNull().default(sql`now()`),
    deletedAt: instant('deleted_at'),
  },
  (table) => [
    check('workspaces_status', sql`${table.status} in ('active', 'suspended')`),
    check('workspaces_leak_response', sql`${table.leakResponse} in ('revoke', 'rotate')`),
  ],
);

/** What callers authenticate to Keyward with. Their secrets are in `secrets` too. */
export const managementKeys = pgTable(
  'management_keys',
  {
    id: text('id').primaryKey(),
    /** Null: every workspace. */
    workspaceId: text('workspace_id').references(() => workspaces.id),
    name: text('name').notNull(),
    permissions: texts('permissions').$type<Permission[]>().notNull(),
    expiresAt: instant('expires_at'),
    maxRequestsPerSecond: integer('max_requests_per_second'),
    revision: integer('revision').notNull().default(1),
    createdAt: instant('created_at').notNull(),
    createdBy: actor('created_by').notNull(),
    updatedAt: instant('updated_at').notNull(),
    revokedAt: instant('revoked_at'),
    revokedBy: actor('revoked_by'),
    /** The management keys that were handed it by a rotation: it ends with each of them. */
    rotatedBy: texts('rotated_by').notNull().default([]),
  },
  (table) => [
    index('management_keys_by_created').on(table.createdAt, table.id),
    index('management_keys_by_maker').on(sql`(${table.createdBy} ->> 'id')`),
    index('management_keys_by_rotator').using('gin', table.rotatedBy),
    index('management_keys_by_expiry')
      .on(sql`coalesce(${table.workspaceId}, 'default')`, table.expiresAt, table.id)
      .where(sql`${table.revokedAt} is null and ${table.expiresAt} is not null`),
  ],
);

/** What a POST with an Idempotency-Key answered, so that a repetition of it changes nothing. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** Who sent it: each caller has Idempotency-Keys of its own. */
    callerId: text('caller_id').notNull(),
    key: text('key').notNull(),
    /** SHA-256 of the call and its payload. */
    fingerprint: text('fingerprint').notNull(),
    /** The answer, without the one-time key string. */
    answer: jsonb('answer').$type<object>().notNull(),
    createdAt: instant('created_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.callerId, table.key] }),
    index('idempotency_keys_by_created').on(table.createdAt),
  ],
);

/** The identity of a key and its policy. Its secrets are in `secrets`, its usage in `key_usage`. */
export const keys = pgTable(
  'keys',
  {
    id: text('id').primaryKey(),
    workspaceId: text('workspace_id')
      .notNull()
      .references(() => workspaces.id),
    name: text('name').notNull(),
    description: text('description'),
    prefix: text('prefix').notNull(),
    ownerId: text('owner_id'),
    scopes: texts('scopes').notNull(),
    resources: texts('resources'),
    allowedIps: texts('allowed_ips'),
    metadata: metadata('metadata').notNull(),
    enabled: boolean('enabled').notNull(),
    notBefore: instant('not_before'),
    expiresAt: instant('expires_at'),
    /** Rate limits, in three parallel arrays: name, units in a window, window length in seconds. */
    limitNames: text('limit_names').array().notNull().default([]),
    limitUnits: bigint('limit_units', { mode: 'number' }).array().notNull().default([]),
    limitWindows: integer('limit_windows').array().notNull().default([]),
    /** Whether verifications cost credits; the balance is in `key_consumption`. */
    creditsLimited: boolean('credits_limited').notNull().default(false),
    refillInterval: text('refill_interval', { enum: ['daily', 'monthly'] }),
    refillAmount: count('refill_amount'),
    refillDay: integer('refill_day'),
    /** The number of changes, which is the ETag. */
    revision: integer('revision').notNull().default(1),
    /** The lowest policy version that an instance must know to evaluate this key. */
    minPolicyVersion: integer('min_policy_version').notNull().default(1),
    createdAt: instant('created_at').notNull(),
    createdBy: actor('created_by').notNull(),
    updatedAt: instant('updated_at').notNull(),
    revokedAt: instant('revoked_at'),
    revokedBy: actor('revoked_by'),
    revokeReason: text('revoke_reason'),
    revokeNote: text('revoke_note'),
    deletedAt: instant('deleted_at'),
  },
  // One for each filter and sort of the list of keys: see docs/performance.md.
  (table) => [
    index('keys_by_created')
      .on(table.workspaceId, table.createdAt, table.id, table.expiresAt)
      .where(sql`${table.deletedAt} is null`),
    index('keys_by_name')
      .on(table.workspaceId, sql`(lower(${table.name}) collate "C")`, table.id)
      .where(sql`${table.deletedAt} is null`),
    index('keys_by_expiry')
      .on(table.workspaceId, sql`coalesce(${table.expiresAt}, 'infinity'::timestamptz)`, table.id)
      .where(sql`${table.deletedAt} is null`),
    index('keys_by_owner')
      .on(table.workspaceId, table.ownerId, table.createdAt, table.id)
      .where(sql`${table.deletedAt} is null`),
    index('keys_of_owner').on(table.workspaceId, table.ownerId, table.id),
    index('keys_by_prefix')
      .on(table.workspaceId, table.prefix, table.createdAt, table.id)
      .where(sql`${table.deletedAt} is null`),
    index('keys_by_scope').using('gin', table.scopes).where(sql`${table.deletedAt} is null`),
    index('keys_revoked')
      .on(table.workspaceId, table.createdAt, table.id)
      .where(sql`${table.deletedAt} is null and ${table.revokedAt} is not null`),
    index('keys_disabled')
      .on(table.workspaceId, table.createdAt, table.id)
      .where(
        sql`${table.deletedAt} is null and ${table.revokedAt} is null and not ${table.enabled}`,
      ),
    // Those of the hygiene report: see docs/hygiene.md.
    index('keys_living')
      .on(table.workspaceId, table.id, table.createdAt, table.expiresAt)
      .where(sql`${table.deletedAt} is null and ${table.revokedAt} is null`),
    index('keys_living_by_expiry')
      .on(table.workspaceId, sql`coalesce(${table.expiresAt}, 'infinity'::timestamptz)`, table.id)
      .where(sql`${table.deletedAt} is null and ${table.revokedAt} is null`),
    index('keys_all_scopes')
      .on(table.workspaceId, table.createdAt, table.id, table.expiresAt)
      .where(
        sql`${table.deletedAt} is null and ${table.revokedAt} is null and ${table.scopes} @> '{*}'::text[]`,
      ),
    index('keys_many_scopes')
      .on(table.workspaceId, sql`(- cardinality(${table.scopes}))`, table.id)
      .where(
        sql`${table.deletedAt} is null and ${table.revokedAt} is null and cardinality(${table.scopes}) > 5`,
      ),
    index('keys_owner_state')
      .on(table.workspaceId, table.ownerId, table.revokedAt, table.enabled, table.expiresAt)
      .where(sql`${table.deletedAt} is null and ${table.ownerId} is not null`),
    index('keys_with_credits')
      .on(table.workspaceId, table.id)
      .where(
        sql`${table.deletedAt} is null and ${table.revokedAt} is null and ${table.creditsLimited}`,
      ),
    index('keys_ended').on(table.revokedAt, table.id).where(sql`${table.revokedAt} is not null`),
    index('keys_deleted').on(table.deletedAt).where(sql`${table.deletedAt} is not null`),
    index('keys_scheduled')
      .on(table.workspaceId, table.createdAt, table.id, table.notBefore)
      .where(
        sql`${table.deletedAt} is null and ${table.revokedAt} is null and ${table.enabled} and ${table.notBefore} is not null`,
      ),
  ],
);

/** Credential material: one current secret for each key. */
export const secrets = pgTable(
  'secrets',
  {
    /** Public; of imported secrets their digest and workspace: see domain/imported-key.ts. */
    ref: text('ref').primaryKey(),
    id: text('id').notNull().unique(),
    keyId: text('key_id').notNull(),
    workspaceId: text('workspace_id'),
    start: text('start').notNull(),
    /** argon2id of the whole key, in PHC form; the imported digest until an imported key is used. */
    hash: text('hash').notNull(),
    status: text('status', { enum: ['current', 'retiring', 'retired'] }).notNull(),
    validUntil: instant('valid_until'),
    createdAt: instant('created_at').notNull(),
    /** Of a key that was revoked; marked a while after it, so that indexes leave it out. */
    ended: boolean('ended').notNull().default(false),
  },
  (table) => [
    index('secrets_by_key').on(table.keyId),
    index('secrets_by_start').on(table.start),
    index('secrets_ended')
      .on(table.createdAt)
      .where(sql`${table.status} <> 'current' and position('@' in ${table.ref}) = 0`),
    index('secrets_by_digest')
      .on(sql`split_part(${table.ref}, '@', 1)`)
      .where(sql`position('@' in ${table.ref}) > 0`),
    // Those of the hygiene report: see docs/hygiene.md.
    index('secrets_current')
      .on(table.workspaceId, table.createdAt, table.keyId)
      .where(sql`${table.status} = 'current' and not ${table.ended}`),
    index('secrets_imported')
      .on(table.workspaceId, table.createdAt, table.keyId)
      .where(
        sql`${table.status} = 'current' and position('@' in ${table.ref}) > 0 and not ${table.ended}`,
      ),
    index('secrets_retiring')
      .on(table.workspaceId, table.validUntil, table.keyId)
      .where(sql`${table.status} = 'retiring'`),
    uniqueIndex('secrets_one_current').on(table.keyId).where(sql`${table.status} = 'current'`),
    check('secrets_status', sql`${table.status} in ('current', 'retiring', 'retired')`),
    // An older version would import for no workspace in particular.
    check(
      'secrets_imported_ref',
      sql`position(':' in ${table.ref}) = 0 or position('@' in ${table.ref}) > 0`,
    ),
  ],
);

/**
 * What a key has consumed. Its credits and all its windows are in one row, so that a verification
 * consumes all or nothing. Written by the function `try_consume_limits`; times are epoch milliseconds.
 */
export const keyConsumption = pgTable('key_consumption', {
  keyId: text('key_id').primaryKey(),
  credits: count('credits'),
  /** When a refill last set the balance, or a call its schedule. */
  refilledMs: count('refilled_ms').notNull().default(0),
  lastMs: count('last_ms').notNull().default(0),
  names: text('names').array().notNull().default([]),
  windows: integer('windows').array().notNull().default([]),
  /** The newest slice of each window. */
  slices: bigint('slices', { mode: 'number' }).array().notNull().default([]),
  /** 21 slices of each window, a ring by slice number. */
  counts: bigint('counts', { mode: 'number' }).array().notNull().default([]),
});

/** The hash algorithms of imported keys: most installations have none. */
export const importedAlgorithms = pgTable('imported_algorithms', {
  algorithm: text('algorithm', { enum: ['sha256', 'sha512'] }).primaryKey(),
});

/** Keyed proofs of secrets, which replace argon2 while KEYWARD_SECRET stays the same. */
export const secretProofs = pgTable('secret_proofs', {
  ref: text('ref').primaryKey(),
  /** Names the KEYWARD_SECRET that the proof was made with. */
  pepperId: text('pepper_id').notNull(),
  proof: bytea('proof').notNull(),
  /** SHA-256 of the hash that the string was verified against: of no other is it a proof. */
  hashDigest: bytea('hash_digest'),
  /** Shows that the service stored this proof; null from an older version. */
  tag: bytea('tag'),
});

/**
 * Answered verifications by key, secret, hour and verdict: of the day that is not over yet, and what
 * was counted late. Retention moves each count on to `usage_hours` and `usage_days`.
 */
export const usageRecent = pgTable(
  'usage_recent',
  {
    /** Empty: of management keys. */
    workspaceId: text('workspace_id').notNull(),
    keyId: text('key_id').notNull(),
    hour: instant('hour').notNull(),
    secretRef: text('secret_ref').notNull(),
    code: text('code').notNull(),
    count: count('count').notNull(),
    /** The sum of `cost`, of those that were VALID. */
    units: count('units').notNull().default(0),
  },
  (table) => [
    primaryKey({
      columns: [table.workspaceId, table.keyId, table.hour, table.secretRef, table.code],
    }),
    index('usage_recent_denied')
      .on(table.workspaceId, table.code, table.hour, table.keyId, table.secretRef)
      .where(sql`${table.code} <> 'VALID'`),
  ],
);

/**
 * What was moved, by hour for as long as hours are kept, and all of it by day, which becomes months.
 * Reads add the rows up: a count that came late is a row of its own. `keyId` is empty
 * where no key matched, and of keys that were removed; `secretRef` also of strings that were removed.
 */
const counted = () => ({
  workspaceId: text('workspace_id').notNull(),
  keyId: text('key_id').notNull(),
  secretRef: text('secret_ref').notNull(),
  code: text('code').notNull(),
  count: count('count').notNull(),
  units: count('units').notNull(),
});

/** Partitions of a week, from Monday. */
export const usageHours = pgTable(
  'usage_hours',
  { ...counted(), hour: instant('hour').notNull() },
  (table) => [index('usage_hours_by_key').on(table.workspaceId, table.keyId, table.hour)],
);

/** Partitions of a month; days are in UTC. */
export const usageDays = pgTable(
  'usage_days',
  { ...counted(), day: date('day').notNull() },
  (table) => [index('usage_days_by_key').on(table.workspaceId, table.keyId, table.day)],
);

/** By the first day of the month. */
export const usageMonths = pgTable(
  'usage_months',
  { ...counted(), month: date('month').notNull() },
  (table) => [index('usage_months_by_key').on(table.workspaceId, table.keyId, table.month)],
);

/** Counters that flushes have written and the fold has not yet added to the tables above and below. */
export const usageLog = pgTable('usage_log', {
  id: uuid('id').primaryKey().defaultRandom(),
  /** What its keys have in common, by their ids; -1 if they have nothing. */
  shard: smallint('shard').notNull(),
  /** How many counters it has. */
  counters: integer('counters').notNull(),
  writtenAt: instant('written_at').notNull().default(sql`now()`),
  /** From where `ages_ms` counts back to the last verification of each counter. */
  latestMs: count('latest_ms').notNull(),
  /** Lists with one element for each counter. Hours are since 1970. */
  secrets: text('secrets').notNull(),
  codes: text('codes').notNull(),
  hours: text('hours').notNull(),
  counts: text('counts').notNull(),
  units: text('units').notNull(),
  agesMs: text('ages_ms').notNull(),
  /** Lists of those that matched no key. */
  workspaces: text('workspaces').notNull(),
  workspaceHours: text('workspace_hours').notNull(),
  workspaceCounts: text('workspace_counts').notNull(),
  /** A list with one element for each counter: network and user agent of the last that was VALID. */
  origins: text('origins').notNull().default(''),
});

/** Made with the key, by a trigger. */
export const keyUsage = pgTable(
  'key_usage',
  {
    keyId: text('key_id').primaryKey(),
    /** Empty: a management key. */
    workspaceId: text('workspace_id').notNull().default(''),
    total: count('total').notNull(),
    lastUsedAt: instant('last_used_at'),
    lastDeniedAt: instant('last_denied_at'),
    /** Of `last_used_at`, in UTC: changes once a day, so that an index may have it. */
    lastUsedDay: date('last_used_day'),
    lastUsedFrom: usedFrom(),
    /** Its key was revoked; marked a while after it, so that indexes leave it out. */
    ended: boolean('ended').notNull().default(false),
  },
  // Those of the hygiene report: see docs/hygiene.md.
  (table) => [
    index('key_usage_never')
      .on(table.workspaceId, table.keyId)
      .where(sql`${table.lastUsedDay} is null and not ${table.ended}`),
    index('key_usage_by_day')
      .on(table.workspaceId, table.lastUsedDay, table.keyId)
      .where(sql`${table.lastUsedDay} is not null and not ${table.ended}`),
  ],
);

export const secretUsage = pgTable('secret_usage', {
  secretRef: text('secret_ref').primaryKey(),
  total: count('total').notNull(),
  lastUsedAt: instant('last_used_at'),
  lastDeniedAt: instant('last_denied_at'),
  lastUsedFrom: usedFrom(),
});

/** Verifications that matched no key. */
export const usageUnmatched = pgTable(
  'usage_unmatched',
  {
    workspaceId: text('workspace_id').notNull(),
    hour: instant('hour').notNull(),
    count: count('count').notNull(),
  },
  (table) => [primaryKey({ columns: [table.workspaceId, table.hour] })],
);

/** Makes a batch of an instance's stream take effect once, however often it is sent. */
export const batchSequences = pgTable(
  'batch_sequences',
  {
    instance: uuid('instance').notNull(),
    stream: text('lane').notNull(),
    sequence: count('sequence').notNull(),
    /** The answer of the batch, for a caller whose connection was lost before it arrived. */
    answer: text('answer'),
    updatedAt: instant('updated_at').notNull().default(sql`now()`),
  },
  (table) => [primaryKey({ columns: [table.instance, table.stream] })],
);

/** The newest link of each workspace's audit log. */
export const auditHeads = pgTable('audit_heads', {
  workspaceId: text('workspace_id').primaryKey(),
  sequence: count('sequence').notNull(),
  hash: text('hash').notNull(),
});

/** The audit logs. `payload` is what is hashed; the generated columns are read out of it. */
export const auditEvents = pgTable(
  'audit_events',
  {
    workspaceId: text('workspace_id').notNull(),
    sequence: count('sequence').notNull(),
    payload: text('payload').notNull(),
    hash: text('hash').notNull(),
    /** Names the KEYWARD_SECRET that keyed the hash; null if it is a plain SHA-256. */
    pepperId: text('pepper_id'),
    id: text('id').generatedAlwaysAs(sql`(payload::jsonb ->> 'id')`),
    action: text('action').generatedAlwaysAs(sql`(payload::jsonb ->> 'action')`),
    actorId: text('actor_id').generatedAlwaysAs(sql`(payload::jsonb #>> '{actor,id}')`),
    onBehalfOf: text('on_behalf_of').generatedAlwaysAs(
      sql`(payload::jsonb #>> '{actor,onBehalfOf}')`,
    ),
    targetId: text('target_id').generatedAlwaysAs(sql`(payload::jsonb #>> '{target,id}')`),
    /** RFC 3339 in UTC with milliseconds: sorts as text. */
    time: text('time').generatedAlwaysAs(sql`(payload::jsonb ->> 'time')`),
  },
  (table) => [
    primaryKey({ columns: [table.workspaceId, table.sequence] }),
    index('audit_events_by_target').on(table.workspaceId, table.targetId, table.sequence),
    index('audit_events_by_time').on(table.workspaceId, table.time),
    index('audit_events_of_all').on(table.time, table.workspaceId, table.sequence),
  ],
);

/** The last link that retention dropped from the log of a workspace. */
export const auditCheckpoints = pgTable('audit_checkpoints', {
  workspaceId: text('workspace_id').primaryKey(),
  sequence: count('sequence').notNull(),
  hash: text('hash').notNull(),
  cutAt: instant('cut_at').notNull(),
});

/** Where events are sent. One that is deleted stays, without its secrets, for the audit log. */
export const webhooks = pgTable(
  'webhooks',
  {
    id: text('id').primaryKey(),
    /** Null: every workspace. */
    workspaceId: text('workspace_id').references(() => workspaces.id),
    url: text('url').notNull(),
    description: text('description'),
    /** Null: every type. */
    eventTypes: texts('event_types'),
    format: text('format', { enum: ['event', 'cloudevents'] }).notNull(),
    enabled: boolean('enabled').notNull().default(true),
    /** Why the service disabled it; null: it did not. */
    disabledReason: text('disabled_reason', { enum: ['gone', 'failing', 'creator_revoked'] }),
    /** The first failure since the last success; null: it does not fail. */
    failingSince: instant('failing_since'),
    lastDeliveredAt: instant('last_delivered_at'),
    /** Sealed with a key of KEYWARD_SECRET; null: deleted. */
    signingSecret: bytea('signing_secret'),
    /** Signs too, until `previousSecretUntil`. */
    previousSecret: bytea('previous_secret'),
    previousSecretUntil: instant('previous_secret_until'),
    revision: integer('revision').notNull().default(1),
    createdAt: instant('created_at').notNull(),
    createdBy: actor('created_by').notNull(),
    /** Who last sent it to another URL, or enabled it; null: who created it. */
    directedBy: actor('directed_by'),
    updatedAt: instant('updated_at').notNull(),
    deletedAt: instant('deleted_at'),
  },
  (table) => [
    index('webhooks_enabled')
      .on(table.workspaceId)
      .where(sql`${table.enabled} and ${table.deletedAt} is null`),
    index('webhooks_by_created')
      .on(table.createdAt, table.id)
      .where(sql`${table.deletedAt} is null`),
  ],
);

/**
 * Each event once for each webhook that takes it, from the transaction of the event: see the trigger on
 * `audit_events`. It is the queue and the log of deliveries. One with the same `subject` waits for
 * those before it.
 */
export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    /** The order of the events of a subject. */
    position: count('position').primaryKey().generatedAlwaysAsIdentity(),
    id: uuid('id').notNull().defaultRandom().unique(),
    webhookId: text('webhook_id').notNull(),
    /** Which entry of the audit log; null: a ping. */
    workspaceId: text('workspace_id'),
    sequence: count('sequence'),
    eventId: text('event_id').notNull(),
    eventType: text('event_type').notNull(),
    subject: text('subject').notNull(),
    createdAt: instant('created_at').notNull().default(sql`now()`),
    status: text('status', { enum: ['pending', 'delivered', 'failed'] })
      .notNull()
      .default('pending'),
    /** When the next attempt is due; null: it is over. */
    dueAt: instant('due_at').default(sql`now()`),
    /** While an instance sends it, no other does. */
    leasedUntil: instant('leased_until'),
    /** `[{at, status, durationMs, error}]`, the oldest first. */
    attempts: jsonb('attempts').notNull().default([]),
    finishedAt: instant('finished_at'),
  },
  (table) => [
    index('webhook_deliveries_due')
      .on(table.webhookId, table.dueAt)
      .where(sql`${table.status} = 'pending'`),
    index('webhook_deliveries_waiting')
      .on(table.webhookId, table.subject, table.position)
      .where(sql`${table.status} = 'pending'`),
    index('webhook_deliveries_log').on(table.webhookId, table.position),
    index('webhook_deliveries_finished')
      .on(table.finishedAt)
      .where(sql`${table.finishedAt} is not null`),
    check('webhook_deliveries_status', sql`${table.status} in ('pending', 'delivered', 'failed')`),
  ],
);

/** What someone should know. Each fires once for its cause. */
export const alerts = pgTable(
  'alerts',
  {
    id: text('id').primaryKey(),
    workspaceId: text('workspace_id').notNull(),
    type: text('type').notNull(),
    targetType: text('target_type', {
      enum: ['key', 'management_key', 'workspace', 'webhook'],
    }).notNull(),
    targetId: text('target_id').notNull(),
    /** What tells this alert from the next one of its type and target, such as the expiry that is near. */
    cause: text('cause').notNull(),
    /** Figures and times, by type. */
    details: jsonb('details').$type<JsonObject>().notNull(),
    openedAt: instant('opened_at').notNull(),
    endedAt: instant('ended_at'),
    acknowledgedAt: instant('acknowledged_at'),
    acknowledgedBy: actor('acknowledged_by'),
    acknowledgeNote: text('acknowledge_note'),
  },
  (table) => [
    uniqueIndex('alerts_once').on(table.workspaceId, table.type, table.targetId, table.cause),
    index('alerts_open').on(table.workspaceId, table.type).where(sql`${table.endedAt} is null`),
    index('alerts_open_by_opened')
      .on(table.workspaceId, table.openedAt, table.id)
      .where(sql`${table.endedAt} is null`),
    index('alerts_ended').on(table.endedAt).where(sql`${table.endedAt} is not null`),
    index('alerts_by_opened').on(table.workspaceId, table.openedAt, table.id),
    index('alerts_of_all').on(table.openedAt, table.id),
    index('alerts_by_target').on(table.targetId, table.openedAt),
  ],
);

/** How far the check for alerts of a type has come: one instance at a time goes on with it. */
export const alertChecks = pgTable('alert_checks', {
  type: text('type').primaryKey(),
  begunAt: instant('begun_at').notNull(),
  /** Until when the instance that is at work has it for itself. */
  heldUntil: instant('held_until').notNull(),
  /** The last workspace that was looked at; null: all were. */
  place: text('place'),
});
