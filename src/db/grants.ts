import { sql } from 'drizzle-orm';
import pg from 'pg';
import { OperatorError } from '../lib/operator-error.ts';
import type { Orm } from './database.ts';

/** What the service does with each table, and nothing more. Every table has SELECT, for dumps too. */
const GRANTS = [
  {
    why: 'Read: which migrations ran, the key of the checksums, where retention cut the audit log.',
    privileges: 'SELECT',
    on: ['drizzle.__drizzle_migrations', 'installation', 'audit_checkpoints'],
  },
  {
    why: 'Read by dumps alone.',
    privileges: 'SELECT',
    on: ['SEQUENCE drizzle.__drizzle_migrations_id_seq'],
  },
  {
    why: 'Added to: the audit log, the mark of this run of Postgres, which algorithms were imported.',
    privileges: 'SELECT, INSERT',
    on: ['audit_events', 'incarnation', 'imported_algorithms'],
  },
  {
    why: 'Changed, never deleted: a deleted key or workspace is marked, its history stays.',
    privileges: 'SELECT, INSERT, UPDATE',
    on: [
      ...['workspaces', 'management_keys', 'keys', 'secrets', 'secret_proofs', 'key_consumption'],
      ...['key_usage', 'secret_usage', 'usage_hourly', 'usage_unmatched', 'audit_heads'],
      'known_secrets',
    ],
  },
  { why: 'Moved on.', privileges: 'SELECT, UPDATE', on: ['feed_pruned'] },
  {
    why: 'Cleared away when old.',
    privileges: 'SELECT, INSERT, DELETE',
    on: ['change_feed', 'feed_horizons', 'idempotency_keys'],
  },
  {
    why: 'Moved on, and cleared away when old.',
    privileges: 'SELECT, INSERT, UPDATE, DELETE',
    on: ['batch_sequences'],
  },
] as const;

/** The statements that give a role what the service needs, and take away what else it has. */
export function grantStatements(role: string): string {
  const to = pg.escapeIdentifier(role);
  const grants = GRANTS.map(
    ({ why, privileges, on }) => `-- ${why}\nGRANT ${privileges} ON ${on.join(', ')} TO ${to};`,
  );
  return [
    `REVOKE ALL ON ALL TABLES IN SCHEMA public, drizzle FROM ${to};`,
    `GRANT USAGE ON SCHEMA public, drizzle TO ${to};`,
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO ${to};`,
    ...grants,
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
