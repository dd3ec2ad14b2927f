import fc from 'fast-check';
import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { keys as keysTable } from '../../src/db/schema.ts';
import { KEY_STATUSES, keyStatus } from '../../src/domain/status.ts';
import { hasStatus } from '../../src/keys/listing/filters.ts';
import { connect, ormOf } from '../support/database.ts';
import {
  expectedList,
  insertListedKeys,
  ListedKey,
  ListQuery,
  sortValue,
} from '../support/listed-keys.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const KEYS = 300;
const RUNS = 100;

describe('the list of keys', () => {
  const pair = usePair();
  let keys: ListedKey[];

  beforeAll(async () => {
    await putWorkspace(pair.first, 'listed');
    await putWorkspace(pair.first, 'apart');
    keys = fc
      .sample(ListedKey, { numRuns: KEYS, seed: 7 })
      .map((key, i) => ({ ...key, id: `key_${String(i).padStart(22, '0')}` }));
    const sql = new pg.Client({ connectionString: pair.databaseUrl });
    await sql.connect();
    await insertListedKeys(sql, keys);
    await sql.end();
  });

  /** All pages of a list. */
  async function pagesOf(query: ListQuery & { workspaceId?: string }, limit: number) {
    const pages: { id: string; status: string }[][] = [];
    let cursor: string | null = null;
    do {
      const parameters = { workspaceId: 'listed', ...query, limit, ...(cursor && { cursor }) };
      const answer = await pair.second.call('GET', `/v1/keys?${urlQuery(parameters)}`);
      expect(answer.status).toBe(200);
      pages.push(answer.body.data);
      cursor = answer.body.nextCursor;
    } while (cursor);
    return pages;
  }

  it('the list of keys contains what every filter and sort says, with each key on exactly one page', async () => {
    const limits = fc.constantFrom(25, 60, 200);
    await fc.assert(
      fc.asyncProperty(ListQuery, limits, async (query, limit) => {
        const pages = await pagesOf(query, limit);
        for (const page of pages.slice(0, -1)) expect(page).toHaveLength(limit);
        const ids = pages.flat().map(({ id }) => id);
        const expected = expectedList(keys, query);
        expect(ids.toSorted()).toEqual(expected.map(({ id }) => id).toSorted());
        const byId = new Map(expected.map((key) => [key.id, sortValue(key, query.sort)]));
        const values = ids.map((id) => byId.get(id));
        expect(values).toEqual(values.toSorted(ascending));
      }),
      { numRuns: RUNS },
    );
  });

  it('the list of keys shows each key exactly once for every sort, page by page, through ties and nulls', async () => {
    const all = expectedList(keys, {}).map(({ id }) => id);
    for (const sort of ['-createdAt', 'name', 'expiresAt'] as const) {
      const ids = (await pagesOf({ sort }, 7)).flat().map(({ id }) => id);
      expect(ids.toSorted()).toEqual(all.toSorted());
    }
  });

  it('a list of every workspace shows each key of each exactly once, in the order of its sort, page by page', async () => {
    for (const name of ['a', 'b', 'c']) {
      await createKey(pair.first, { workspaceId: 'apart', name: `apart ${name}` });
    }
    const apart = await pagesOf({ workspaceId: 'apart' }, 7);
    const all = [...expectedList(keys, {}), ...apart.flat()].map(({ id }) => id).toSorted();
    for (const sort of ['-createdAt', 'name', 'expiresAt'] as const) {
      const parameters = { workspaceId: '*', sort };
      const paged = (await pagesOf(parameters, 50)).flat().map(({ id }) => id);
      const whole = (await pagesOf(parameters, 200)).flat().map(({ id }) => id);
      expect(paged).toEqual(whole);
      expect(whole.toSorted()).toEqual(all);
    }
  });

  it('the list of keys shows no key twice if others are created and deleted between two pages', async () => {
    const first = await pair.first.call('GET', '/v1/keys?workspaceId=listed&sort=name&limit=20');
    const made = await createKey(pair.first, { workspaceId: 'listed', name: '0 first of all' });
    await pair.first.call('DELETE', `/v1/keys/${first.body.data[19].id}?workspaceId=listed`);
    const { nextCursor } = first.body;
    const url = `/v1/keys?workspaceId=listed&sort=name&limit=200&cursor=${nextCursor}`;
    const rest = (await pair.second.call('GET', url)).body.data;
    const seen = [...first.body.data, ...rest].map(({ id }: { id: string }) => id);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).not.toContain(made.id);
    const all = (await pagesOf({}, 200)).flat().map(({ id }) => id);
    expect(all.filter((id) => id !== made.id && !seen.includes(id))).toEqual([]);
    await pair.first.call('DELETE', `/v1/keys/${made.id}?workspaceId=listed`);
    const gone = first.body.data[19].id;
    keys = keys.map((key) => (key.id === gone ? { ...key, deleted: true } : key));
  });

  it('the status that a list filters by is the one that it shows, at every time', async () => {
    const orm = ormOf(await connect(pair.databaseUrl));
    const time = fc.constantFrom(...keys.flatMap((key) => key.expires_at ?? key.created_at));
    const step = fc.constantFrom(-1, 0, 1);
    await fc.assert(
      fc.asyncProperty(time, step, async (instant, ms) => {
        const now = new Date(Date.parse(instant) + ms);
        const all = await orm.select().from(keysTable);
        for (const status of KEY_STATUSES) {
          const found = await orm.select().from(keysTable).where(hasStatus(status, now));
          const expected = all.filter((key) => keyStatus(key, now.getTime()) === status);
          expect(ids(found)).toEqual(ids(expected));
        }
      }),
      { numRuns: 30 },
    );
  });
});

function ids(keys: readonly { id: string }[]): string[] {
  return keys.map(({ id }) => id).toSorted();
}

function urlQuery(parameters: object): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, String(one)]),
  );
  return new URLSearchParams(pairs).toString();
}

function ascending(a: number | string = 0, b: number | string = 0): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
