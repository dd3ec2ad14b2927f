import { type SQL, sql } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedKeys } from '../../bench/seed.ts';
import type { AlertReader } from '../../src/alerts/alert-reader.ts';
import type { Condition } from '../../src/alerts/condition.ts';
import { CREDITS_CONDITIONS } from '../../src/alerts/conditions/credits.ts';
import { ENDED_STRING_USED } from '../../src/alerts/conditions/ended-strings.ts';
import { EXPIRY_CONDITIONS } from '../../src/alerts/conditions/expiry.ts';
import { ROTATION_DUE } from '../../src/alerts/conditions/rotation.ts';
import { KEY_UNUSED } from '../../src/alerts/conditions/unused.ts';
import { planSettings } from '../../src/db/plan-settings.ts';
import { DEFAULT_ALERT_THRESHOLDS } from '../../src/domain/alert-thresholds.ts';
import { DEFAULT_IDLE_POLICY } from '../../src/domain/idle-policy.ts';
import { Pepper } from '../../src/domain/pepper.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { TEST_SECRET } from '../support/instance.ts';

const KEYS = 5000;
const now = new Date();

/** The indexes that a check of each type follows; what else it reads it finds by its id. */
const INDEXES: Record<string, string[]> = {
  key_expiring: ['keys_living_by_expiry'],
  key_expired: ['keys_living_by_expiry'],
  management_key_expiring: ['management_keys_by_expiry'],
  management_key_expired: ['management_keys_by_expiry'],
  rotation_due: ['secrets_current'],
  key_unused: ['key_usage_by_day', 'key_usage_never'],
  credits_low: ['keys_with_credits'],
  credits_exhausted: ['keys_with_credits'],
  ended_string_used: ['usage_recent_denied'],
};
const CONDITIONS = [
  ...EXPIRY_CONDITIONS,
  ...CREDITS_CONDITIONS,
  ...[ROTATION_DUE, KEY_UNUSED, ENDED_STRING_USED],
].map((condition) => {
  const indexes = INDEXES[condition.type] ?? [];
  return { ...condition, indexes, followed: indexes.join(' and ') };
});

describe('the plan of a check for alerts', () => {
  let test: TestDatabase;
  let client: pg.Client;

  const run = (statement: SQL, prefix = '') => {
    const { sql: text, params } = new PgDialect().sqlToQuery(statement);
    return client.query(`${prefix}${text}`, params);
  };

  beforeAll(async () => {
    test = await createTestDatabase();
    await seedKeys(test.url, { keys: KEYS, pepper: new Pepper(TEST_SECRET) });
    client = new pg.Client({ connectionString: test.url });
    await client.connect();
    await client.query(`insert into management_keys (id, workspace_id, name, permissions, expires_at,
                                                     created_at, created_by, updated_at)
      select 'mk_' || i, 'default', 'n', '{}', now() + make_interval(days => i), now(), '{}', now()
        from generate_series(1, 1000) i`);
    await client.query(`insert into usage_recent (workspace_id, key_id, hour, secret_ref, code, count)
      select workspace_id, key_id, date_trunc('hour', now()), ref, 'REVOKED', 1
        from secrets order by ref limit 50 on conflict do nothing`);
    await client.query(
      'vacuum (analyze) keys, secrets, key_usage, secret_usage, management_keys, usage_recent',
    );
    await client.query('begin');
    // Settings last until the end of the transaction.
    await run(planSettings(5000));
  });
  afterAll(async () => {
    await client.end();
    await test.drop();
  });

  async function planOf(statement: SQL): Promise<string> {
    const { rows } = await run(statement, 'explain ');
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  }

  /** The statements that a check sends, each answered with nothing. */
  async function statementsOf({ find }: Condition, targets?: string[]): Promise<SQL[]> {
    const sent: SQL[] = [];
    const read: AlertReader['query'] = async (statement) => {
      sent.push(statement);
      return [];
    };
    const workspace = {
      ...{ id: 'default', createdAt: now, idlePolicy: DEFAULT_IDLE_POLICY },
      thresholds: DEFAULT_ALERT_THRESHOLDS,
    };
    const orm = undefined as never;
    await find({ orm, read, workspace, now, limit: 10_000, ...(targets && { targets }) });
    return sent;
  }

  it.each(CONDITIONS)(
    'a check for $type follows $followed, and never reads a whole table',
    async ({ indexes, ...condition }) => {
      const statements = await statementsOf(condition);
      expect(statements).toHaveLength(indexes.length);
      for (const [index, statement] of statements.entries()) {
        const plan = await planOf(statement);
        expect(plan).toContain(indexes[index]);
        expect(plan).not.toContain('Seq Scan on');
        expect(plan).not.toContain('Materialize');
      }
    },
  );

  it.each(CONDITIONS)(
    'a check whether alerts of $type are over never reads a whole table',
    async (condition) => {
      for (const statement of await statementsOf(condition, ['key_1', 'mk_1'])) {
        expect(await planOf(statement)).not.toContain('Seq Scan on');
      }
    },
  );

  it.each(CONDITIONS.filter(({ concerns }) => concerns))(
    'which workspaces are concerned by $type is found by an index',
    async ({ concerns, indexes }) => {
      const where = concerns?.(now) ?? sql`true`;
      const plan = await planOf(sql`select w.id from workspaces w where ${where} limit 50`);
      expect(plan).toContain(indexes[0]);
      expect(plan).not.toMatch(/Seq Scan on (?!workspaces)/);
    },
  );
});
