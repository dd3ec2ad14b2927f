import { getTableColumns, getTableName, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { OperatorError } from '../lib/operator-error.ts';
import type { Orm } from './database.ts';
import * as schema from './schema.ts';

/** Rows that are changed, without the columns that stay as they were inserted. */
function changing(table: PgTable, ...fixed: string[]): string {
  const names = Object.values(getTableColumns(table)).map(({ name }) => name);
  const columns = names.filter((name) => !fixed.includes(name));
  return `SELECT, INSERT, UPDATE (${columns.join(', ')}) ON ${getTableName(table)}`;
}

/** What the service does with each table, and nothing more. Every table has SELECT, for dumps too. */
const GRANTS = [
  {
    why: 'Read: which migrations ran, the key of the checksums, where retention cut the audit log.',
    rights: ['SELECT ON drizzle.__drizzle_migrations, installation, audit_checkpoints'],
  },
  {
    why: 'Read by dumps alone.',
    rights: [
      'SELECT ON SEQUENCE drizzle.__drizzle_migrations_id_seq, webhook_deliveries_position_seq',
    ],
  },
  {
    why: 'Added to: the audit log at its end, the mark of this run of Postgres, which algorithms were imported.',
    rights: ['SELECT, INSERT ON audit_events, incarnation, imported_algorithms'],
  },
  {
    why: 'Changed, never deleted: a deleted key or workspace is marked, its history stays. Triggers refuse to undo a revocation and to replace a hash.',
    rights: [
      changing(schema.workspaces, 'id'),
      changing(schema.managementKeys, 'id', 'workspace_id', 'created_at', 'created_by'),
      changing(schema.keys, 'id', 'workspace_id', 'prefix', 'created_at', 'created_by'),
      changing(
        schema.secrets,
        'ref',
        'id',
        'key_id',
        'workspace_id',
        'start',
        'created_at',
        'ended',
      ),
      changing(schema.secretProofs, 'ref'),
      changing(schema.webhooks, 'id', 'workspace_id', 'created_at', 'created_by'),
    ],
  },
  {
    why: 'Opened, acknowledged and ended; cleared away long after that.',
    rights: [
      changing(schema.alerts, 'id', 'workspace_id', 'type', 'target_type', 'target_id'),
      changing(schema.alertChecks, 'type'),
      'DELETE ON alerts',
    ],
  },
  {
    why: 'Spent.',
    rights: [changing(schema.keyConsumption, 'key_id')],
  },
  {
    why: 'Read: functions of the owner add what is in the log, and move it on.',
    rights: [
      'SELECT ON key_usage, secret_usage, usage_unmatched, usage_recent, usage_hours, usage_days, usage_months, usage_hourly',
    ],
  },
  {
    why: 'Written by flushes, taken out by the fold.',
    rights: ['SELECT, INSERT, DELETE ON usage_log'],
  },
  {
    why: 'Written by the version before alone; a trigger refuses what does not follow from the entries.',
    rights: [changing(schema.auditHeads, 'workspace_id')],
  },
  {
    why: 'Moved on.',
    rights: ['SELECT, UPDATE (below) ON feed_pruned', changing(schema.knownSecrets, 'id')],
  },
  {
    why: 'Cleared away when old.',
    rights: [
      'SELECT, INSERT, DELETE ON change_feed, feed_horizons, idempotency_keys',
      changing(schema.batchSequences, 'instance', 'lane'),
      'DELETE ON batch_sequences',
      'SELECT, INSERT, DELETE, UPDATE (status, due_at, leased_until, attempts, finished_at) ON webhook_deliveries',
    ],
  },
];

const PARTITION_GRANTS = `SELECT share_read_grants(inhparent::regclass, inhrelid::regclass) FROM pg_inherits
 WHERE inhparent IN ('usage_hours'::regclass, 'usage_days'::regclass);`;

/** The statements that give a role what the service needs, and take away what else it has. */
export function grantStatements(role: string): string {
  const to = pg.escapeIdentifier(role);
  const grants = GRANTS.map(({ why, rights }) =>
    [`-- ${why}`, ...rights.map((right) => `GRANT ${right} TO ${to};`)].join('\n'),
  );
  return [
    `REVOKE ALL ON ALL TABLES IN SCHEMA public, drizzle FROM ${to};`,
    `GRANT USAGE ON SCHEMA public, drizzle TO ${to};`,
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO ${to};`,
    ...grants,
    '-- Dumps read partitions by their names.',
    PARTITION_GRANTS,
    '',
  ].join('\n');
}

class GrantError extends OperatorError {
  override name = 'GrantError';
}

/** Applies the statements in one transaction. Only the owner can: Postgres ignores others silently. */
export async function applyGrants(orm: Orm, role: string): Promise<void> {
  await orm.transaction(async (tx) => {
    const { rows } = await tx.execute<{ isOwner: boolean; rules: boolean | null }>(sql`
      select pg_has_role(relowner, 'USAGE') as "isOwner",
             (select pg_has_role(oid, relowner, 'MEMBER') from pg_roles where rolname = ${role})
               as rules
        from pg_class where oid = 'audit_events'::regclass`);
    const [{ isOwner, rules } = { isOwner: false, rules: null }] = rows;
    if (!isOwner) {
      throw new GrantError(
        'The user in DATABASE_URL does not own the tables; grant as their owner.',
      );
    }
    if (rules === null) throw new GrantError(`There is no role ${role}; create it first.`);
    if (rules) {
      throw new GrantError(
        `${role} owns the tables, or may act as their owner; grants cannot limit it.`,
      );
    }
    await tx.execute(sql.raw(grantStatements(role)));
  });
}
