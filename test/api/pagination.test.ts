import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { base62 } from '../support/forged-key.ts';
import { type Instance, launch } from '../support/instance.ts';
import { copyRow } from '../support/sql-copies.ts';

const BEGIN = Date.UTC(2025, 0, 1);
/** Few distinct times, so that many keys share one. */
const TIMES = 4;

interface Plan {
  /** The index of the creation time of each initial key. */
  first: number[];
  limit: number;
  /** Before each further page: keys that are created, and the number of those deleted. */
  between: { come: number[]; go: number }[];
}

const time = fc.nat({ max: TIMES - 1 });
const plan: fc.Arbitrary<Plan> = fc.record({
  first: fc.array(time, { maxLength: 15 }),
  limit: fc.integer({ min: 1, max: 6 }),
  between: fc.array(fc.record({ come: fc.array(time, { maxLength: 3 }), go: fc.nat({ max: 2 }) }), {
    maxLength: 5,
  }),
});

describe('the pages of a list', () => {
  let database: TestDatabase;
  let keyward: Instance;
  let client: pg.Client;
  let original: string;
  let workspaces = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    keyward = await launch(database.url);
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    original = (await keyward.call('POST', '/v1/keys', { body: { name: 'original' } })).body.id;
  });
  afterAll(async () => {
    await client.end();
    await keyward.stop();
    await database.drop();
  });

  const newWorkspace = async () => {
    const id = `w${workspaces++}`;
    await keyward.call('PUT', `/v1/workspaces/${id}`, { body: {} });
    return id;
  };

  const insert = async (workspaceId: string, times: readonly number[]) => {
    const copies = times.map((at) => ({
      id: `key_${base62(22)}`,
      workspace_id: workspaceId,
      name: `key ${at}`,
      created_at: new Date(BEGIN + at).toISOString(),
    }));
    await copyRow(client, 'keys', { id: original }, copies);
    return copies.map(({ id }) => id);
  };

  const remove = (ids: readonly string[]) =>
    client.query('update keys set deleted_at = now() where id = any($1)', [ids]);

  /** Reads all pages; `before` runs before each further page. */
  const turnPages = async (query: string, before: (page: number) => Promise<void>) => {
    const seen: { id: string; createdAt: string; name: string }[] = [];
    let cursor: string | null = null;
    for (let page = 0; page === 0 || cursor; page++) {
      if (page > 0) await before(page);
      const more = cursor ? `&cursor=${cursor}` : '';
      const { status, body } = await keyward.call('GET', `/v1/keys?${query}${more}`);
      expect(status).toBe(200);
      seen.push(...body.data);
      cursor = body.nextCursor;
    }
    return seen;
  };
  const nothing = () => Promise.resolve();

  it.each(['-createdAt', 'name', 'expiresAt'])(
    'the pages by %s show each key that is there throughout exactly once, while others come and go',
    async (sort) => {
      await fc.assert(
        fc.asyncProperty(plan, async ({ first, limit, between }) => {
          const workspaceId = await newWorkspace();
          const staying = new Set(await insert(workspaceId, first));
          const change = async (page: number) => {
            const { come, go } = between[page - 1] ?? { come: [], go: 0 };
            await insert(workspaceId, come);
            const gone = [...staying].slice(0, go);
            for (const id of gone) staying.delete(id);
            await remove(gone);
          };
          const query = `workspaceId=${workspaceId}&limit=${limit}&sort=${sort}`;
          const ids = (await turnPages(query, change)).map(({ id }) => id);
          expect(new Set(ids).size).toBe(ids.length);
          for (const id of staying) expect(ids).toContain(id);
        }),
        { numRuns: 15 },
      );
    },
  );

  it('the pages of a list are in order, newest first, and together what one large page shows', async () => {
    const workspaceId = await newWorkspace();
    await insert(workspaceId, [3, 1, 2, 2, 2, 0, 1, 3]);
    const pages = await turnPages(`workspaceId=${workspaceId}&limit=3`, nothing);
    const whole = await turnPages(`workspaceId=${workspaceId}&limit=200`, nothing);
    expect(pages).toEqual(whole);
    expect(pages.length).toBe(8);
    const times = pages.map(({ createdAt }) => createdAt);
    expect(times).toEqual([...times].sort().reverse());
  });

  it('the last page has no cursor, even if it is full, or if there is nothing', async () => {
    const workspaceId = await newWorkspace();
    const list = `/v1/keys?workspaceId=${workspaceId}&limit=2`;
    expect((await keyward.call('GET', list)).body).toEqual({ data: [], nextCursor: null });
    await insert(workspaceId, [0, 1]);
    expect((await keyward.call('GET', list)).body).toMatchObject({ nextCursor: null });
    await insert(workspaceId, [2]);
    expect((await keyward.call('GET', list)).body.nextCursor).toEqual(expect.any(String));
  });

  it('a page has 50 keys by default, and at most 200', async () => {
    const workspaceId = await newWorkspace();
    await insert(
      workspaceId,
      Array.from({ length: 201 }, (_, i) => i),
    );
    const lengthOf = async (query: string) =>
      (await keyward.call('GET', `/v1/keys?workspaceId=${workspaceId}${query}`)).body.data.length;
    expect(await lengthOf('')).toBe(50);
    expect(await lengthOf('&limit=200')).toBe(200);
  });

  it('a cursor whose instant names a time zone that does not exist is refused as a cursor', async () => {
    const workspaceId = await newWorkspace();
    await insert(workspaceId, [0, 1]);
    const list = `/v1/keys?workspaceId=${workspaceId}&limit=1`;
    const { nextCursor } = (await keyward.call('GET', list)).body;
    const [name, , id] = JSON.parse(Buffer.from(nextCursor, 'base64url').toString());
    const parts = [name, '2027-01-01 00:00:00 Nowhere/Land', id];
    const forged = Buffer.from(JSON.stringify(parts)).toString('base64url');
    const answer = await keyward.call('GET', `${list}&cursor=${forged}`);
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_CURSOR' } });
  });

  it('a cursor continues only with the same filters and sort', async () => {
    const workspaceId = await newWorkspace();
    await insert(workspaceId, [0, 1, 2]);
    const list = `/v1/keys?workspaceId=${workspaceId}&limit=1`;
    const { nextCursor } = (await keyward.call('GET', `${list}&search=key`)).body;
    for (const query of ['', '&search=ke', '&search=key&sort=name', '&search=key&prefix=ak_live']) {
      const answer = await keyward.call('GET', `${list}${query}&cursor=${nextCursor}`);
      expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_CURSOR' } });
    }
    const next = await keyward.call('GET', `${list}&search=key&cursor=${nextCursor}`);
    expect(next.status).toBe(200);
  });

  it('a cursor of another workspace shows nothing of it', async () => {
    const mine = await newWorkspace();
    const other = await newWorkspace();
    await insert(mine, [0, 1, 2]);
    await insert(other, [0, 1, 2]);
    const page = await keyward.call('GET', `/v1/keys?workspaceId=${other}&limit=1`);
    const url = `/v1/keys?workspaceId=${mine}&limit=9&cursor=${page.body.nextCursor}`;
    const { status, body } = await keyward.call('GET', url);
    const workspaceIds = (body.data ?? []).map((key: { workspaceId: string }) => key.workspaceId);
    expect(status === 400 || workspaceIds.every((id: string) => id === mine)).toBe(true);
  });
});
