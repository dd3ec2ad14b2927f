import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedKeys } from '../../bench/seed.ts';
import { Database } from '../../src/db/database.ts';
import { Pepper } from '../../src/domain/pepper.ts';
import type { ListKeys } from '../../src/keys/listing/schemas.ts';
import { pageOfKeys } from '../../src/keys/listing/store.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { TEST_SECRET } from '../support/instance.ts';

const KEYS = 5000;

describe('the plan of a list of keys', () => {
  let test: TestDatabase;
  let database: Database;
  let client: pg.Client;
  let start: string;

  beforeAll(async () => {
    test = await createTestDatabase();
    await seedKeys(test.url, { keys: KEYS, pepper: new Pepper(TEST_SECRET) });
    database = new Database({ url: test.url, poolSize: 2, preparedStatements: true });
    client = new pg.Client({ connectionString: test.url });
    await client.connect();
    // Without these, the planner would sort so few keys instead of using an index.
    for (const means of ['seqscan', 'sort', 'hashjoin', 'mergejoin', 'bitmapscan']) {
      await client.query(`set enable_${means} = off`);
    }
    start = (await client.query('select start from secrets limit 1')).rows[0].start;
  });
  afterAll(async () => {
    await client.end();
    await database.close();
    await test.drop();
  });

  /** The plan for a page, either the first one or one from the middle. */
  async function planOf(query: Partial<ListKeys>, after: string | null = null): Promise<string> {
    const whole: ListKeys = { sort: '-createdAt', limit: 50, ...query };
    const cursor = after === null ? null : { value: after, id: 'key_M' };
    const options = { after: cursor, now: new Date(), limit: 51 };
    const { sql, params } = pageOfKeys(database.orm, 'default', whole, options).toSQL();
    const { rows } = await client.query(`explain ${sql}`, params);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    // Above the limit, the keys are only sorted again after the joins.
    return plan.slice(plan.indexOf('Limit'));
  }

  it.each<[Partial<ListKeys>, string, string]>([
    [{ sort: '-createdAt' }, 'keys_by_created', at(-365)],
    [{ sort: 'name' }, 'keys_by_name', 'deploy job 7'],
    [{ sort: 'expiresAt' }, 'keys_by_expiry', at(100)],
    [{ status: ['active'] }, 'keys_by_created', at(-365)],
    [{ status: ['active', 'scheduled'], sort: 'expiresAt' }, 'keys_(?:living_)?by_expiry', at(100)],
    [{ status: ['expired'] }, 'keys_by_created', at(-365)],
    [{ status: ['scheduled'] }, 'keys_scheduled', at(-365)],
    [{ status: ['disabled'] }, 'keys_disabled', at(-365)],
    [{ status: ['revoked'] }, 'keys_revoked', at(-365)],
    [{ ownerId: 'customer_1' }, 'keys_by_owner', at(-365)],
    [{ prefix: 'ak_ci' }, 'keys_by_prefix', at(-365)],
    [{ createdAfter: at(-365) }, 'keys_by_created', at(-100)],
    [{ createdBefore: at(-365) }, 'keys_by_created', at(-400)],
    [{ expiresAfter: at(180) }, 'keys_by_created', at(-365)],
    [{ expiresBefore: at(30) }, 'keys_by_created', at(-365)],
    [{ expiresBefore: at(30), sort: 'expiresAt' }, 'keys_by_expiry', at(10)],
    [{ expiresAfter: at(30), sort: 'expiresAt' }, 'keys_by_expiry', at(50)],
    [{ lastUsedAfter: at(-30) }, 'keys_by_created', at(-365)],
    [{ lastUsedBefore: at(-90) }, 'keys_by_created', at(-365)],
    [{ neverUsed: true }, 'keys_by_created', at(-365)],
    [{ scope: 'sources:write' }, 'keys_by_created', at(-365)],
    [{ search: 'partner' }, 'keys_by_created', at(-365)],
  ])('the list of %j follows %s in its order, on every page', async (query, index, after) => {
    for (const plan of [await planOf(query), await planOf(query, after)]) {
      expect(plan).toMatch(new RegExp(`Index (Only )?Scan (Backward )?using ${index} on keys`));
      expect(plan).not.toContain('Seq Scan on keys');
      expect(plan).not.toMatch(/^\s*(-> +)?(Incremental )?Sort/m);
    }
  });

  it('a list of a scope that few keys have finds them by the scope', async () => {
    await client.query('set enable_bitmapscan = on');
    await client.query('set enable_sort = on');
    expect(await planOf({ scope: 'admin' })).toContain('keys_by_scope');
  });

  it('a list by start finds the one key by its secret', async () => {
    await client.query('set enable_sort = on');
    const plan = await planOf({ start });
    expect(plan).toContain('secrets_by_start');
    expect(plan).toContain('using keys_pkey on keys');
  });
});

function at(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString();
}
