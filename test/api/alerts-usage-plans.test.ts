import { type SQL, sql } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AlertReader } from '../../src/alerts/alert-reader.ts';
import type { Condition } from '../../src/alerts/condition.ts';
import { LIMITED_OFTEN } from '../../src/alerts/conditions/limited-often.ts';
import { USAGE_UNUSUAL } from '../../src/alerts/conditions/unusual-use.ts';
import { WRONG_KEYS } from '../../src/alerts/conditions/wrong-keys.ts';
import { planSettings } from '../../src/db/plan-settings.ts';
import { DEFAULT_ALERT_THRESHOLDS } from '../../src/domain/alert-thresholds.ts';
import { DEFAULT_IDLE_POLICY } from '../../src/domain/idle-policy.ts';
import { createTestDatabase, ormOf, type TestDatabase } from '../support/database.ts';
import { instantOf, retain, timeOf } from '../support/kept-usage.ts';

let database: TestDatabase;
let client: pg.Client;

const now = new Date(timeOf(0, 11) + 360_000);
/** 2500 keys of which each hundredth is used by the hour, far more in the last one, and limited. */
beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(
    `insert into keys (id, workspace_id, name, prefix, scopes, metadata, enabled, created_at, created_by, updated_at)
     select 'key_' || lpad(i::text, 5, '0'), 'default', 'n', 'ak_live', '{}', '{}', true, now(), '{}', now()
       from generate_series(1, 2500) as i`,
  );
  const last = instantOf(0, 10);
  await client.query(
    `insert into usage_recent (workspace_id, key_id, hour, secret_ref, code, count)
     select 'default', id, hour, 'ref', code, case when hour = $1 then 1000 else 10 end
       from keys, unnest(array['VALID', 'RATE_LIMITED']) as code,
            generate_series($1::timestamptz - interval '30 days', $1, interval '1 hour') as hour
      where id like '%00'`,
    [last],
  );
  await client.query(
    `update key_usage set last_used_at = $1, last_used_day = $1::timestamptz::date where key_id like '%00'`,
    [last],
  );
  await client.query(`insert into usage_unmatched values ('default', $1, 5000)`, [last]);
  await retain(ormOf(client));
  await client.query('vacuum (analyze)');
  await client.query('begin');
  await run(planSettings(5000));
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

function run(statement: SQL, prefix = '') {
  const { sql: text, params } = new PgDialect().sqlToQuery(statement);
  return client.query(`${prefix}${text}`, params);
}

async function planOf(statement: SQL): Promise<string> {
  const { rows } = await run(statement, 'explain ');
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

/** What a check finds, and the plans of all its statements. */
async function look({ find }: Condition) {
  const plans: string[] = [];
  const read: AlertReader['query'] = async <Row>(statement: SQL) => {
    plans.push(await planOf(statement));
    const { rows } = await run(statement);
    return rows as Row[];
  };
  const thresholds = DEFAULT_ALERT_THRESHOLDS;
  const workspace = {
    ...{ id: 'default', createdAt: new Date(0), thresholds },
    idlePolicy: DEFAULT_IDLE_POLICY,
  };
  const found = await find({ orm: ormOf(client), read, workspace, now, limit: 10_000 });
  return { found, plans };
}

const RECENT = 'usage_recent_';
const HOURS = 'usage_hours_';

it.each([
  { ...USAGE_UNUSUAL, count: 25, indexes: ['keys_living', RECENT, HOURS, 'usage_days_'] },
  { ...LIMITED_OFTEN, count: 25, indexes: ['keys_living', RECENT, HOURS] },
  { ...WRONG_KEYS, count: 1, indexes: ['usage_unmatched_', HOURS] },
])(
  'a check for $type finds what there is by indexes, in statements that read no whole table',
  async ({ count, indexes, ...condition }) => {
    const { found, plans } = await look(condition);
    expect(found).toHaveLength(count);
    for (const index of indexes) {
      expect(plans.join('\n')).toMatch(new RegExp(`Index (Only )?Scan using ${index}`));
    }
    for (const plan of plans) expect(plan).not.toContain('Seq Scan on');
  },
);

it.each([USAGE_UNUSUAL, LIMITED_OFTEN, WRONG_KEYS])(
  'which workspaces are concerned by $type is found by an index',
  async ({ concerns }) => {
    const where = concerns?.(now) ?? sql`true`;
    const plan = await planOf(sql`select w.id from workspaces w where ${where} limit 50`);
    expect(plan).not.toMatch(/Seq Scan on (?!workspaces)/);
  },
);
