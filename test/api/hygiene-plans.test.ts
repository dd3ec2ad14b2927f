import { type SQL, sql } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedKeys } from '../../bench/seed.ts';
import { planSettings } from '../../src/db/plan-settings.ts';
import { Pepper } from '../../src/domain/pepper.ts';
import { type KeySection, sectionQuery } from '../../src/reports/hygiene/sections.ts';
import { ownersOf, rowsOf, type SectionPosition } from '../../src/reports/hygiene/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { TEST_SECRET } from '../support/instance.ts';

const KEYS = 5000;
const COUNTED = 10_001;
const PAGE = 51;
/** A scan that is off, as Postgres shows it up to 17 and since 18. */
const SWITCHED_OFF = /cost=1\d{10}|Disabled: true/;
const input = {
  now: Date.now(),
  ...{ idleDays: 90, expiringDays: 30, maxScopes: 10, rotateAfterDays: 180, disabledDays: 90 },
};

/** What it follows, and a value to begin a page at; what else it reads it finds by its id. */
const INDEX: Record<KeySection, { first: string; value: string | null }> = {
  'never-used': { first: 'key_usage_never', value: null },
  idle: { first: 'key_usage_by_day', value: '2020-01-01' },
  'without-expiry': { first: 'keys_living_by_expiry', value: 'infinity' },
  expiring: { first: 'keys_living_by_expiry', value: at(10) },
  'all-scopes': { first: 'keys_all_scopes', value: at(-365) },
  'many-scopes': { first: 'keys_many_scopes', value: '-20' },
  'rotation-due': { first: 'secrets_current', value: at(-365) },
  'imported-never-rotated': { first: 'secrets_imported', value: at(-365) },
  'retiring-in-use': { first: 'secrets_retiring', value: at(1) },
  'disabled-long': { first: 'keys_disabled', value: at(-365) },
};
const sections = Object.entries(INDEX).map(([section, { first, value }]) => ({
  section: section as KeySection,
  first,
  value,
}));

describe('the plan of a section of the hygiene report', () => {
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
    await client.query(`update secrets set status = 'retiring', valid_until = now() + interval '1 day'
                         where key_id in (select id from keys order by id limit 50)`);
    await client.query('vacuum (analyze) keys, secrets, key_usage, secret_usage');
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

  /** All scans of keys, their strings and their usage in the order of the plan. */
  const scansOf = (plan: string) =>
    [...plan.matchAll(/(\w+(?: \w+)* Scan)(?: Backward)?(?: using (\w+))? on (\w+)/g)]
      .map(([, kind, index, table]) => ({ kind, index, table }))
      .filter(({ table }) => table !== 'workspaces');

  const statements = (section: KeySection, value: string | null) => {
    const query = sectionQuery(section, input);
    const after: SectionPosition = { workspaceId: 'default', value, id: 'key_M' };
    return ['default', null].flatMap((scope) => [
      sql`select count(*) from (${rowsOf(query, scope, null, COUNTED)}) counted`,
      rowsOf(query, scope, null, PAGE),
      rowsOf(query, scope, after, PAGE),
    ]);
  };

  it.each(sections)(
    'the section $section follows $first in its order, for its count and on every page, of one workspace and of all',
    async ({ section, first, value }) => {
      for (const statement of statements(section, value)) {
        const plan = await planOf(statement);
        const scans = scansOf(plan);
        expect(
          scans.map(({ index }) => index),
          plan,
        ).toContain(first);
        for (const { kind } of scans)
          expect(kind, plan).toMatch(/^(Parallel )?Index (Only )?Scan$/);
        expect(plan).not.toMatch(/^\s*(-> +)?(Incremental )?Sort/m);
        expect(plan).not.toContain('Materialize');
        expect(plan).not.toMatch(SWITCHED_OFF);
      }
    },
  );

  it('a page of a section begins in the index where the page before ended', async () => {
    for (const { section, value } of sections) {
      const [, , next, , , nextOfAll] = statements(section, value);
      for (const statement of [next, nextOfAll]) {
        const plan = await planOf(statement ?? sql``);
        expect(plan, section).toMatch(/Index Cond: .*(ROW\(|key_id > )/);
      }
    }
  });

  it('owners without active keys are found in one pass over an index alone, in its order', async () => {
    const after = { workspaceId: 'default', ownerId: 'customer_2' };
    for (const scope of ['default', null]) {
      for (const begin of [null, after]) {
        const plan = await planOf(ownersOf(scope, input.now, begin, PAGE));
        const scan = { kind: 'Index Only Scan', index: 'keys_owner_state', table: 'keys' };
        expect(scansOf(plan), plan).toEqual([scan]);
        expect(plan).not.toMatch(/^\s*(-> +)?(Incremental )?Sort/m);
        if (begin) expect(plan).toMatch(/Index Cond: .*ROW\(/);
      }
    }
  });
});

function at(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString();
}
