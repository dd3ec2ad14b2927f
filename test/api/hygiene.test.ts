import fc from 'fast-check';
import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import {
  expectedOwners,
  expectedSection,
  HygieneParameters,
  hygieneKeys,
  insertHygieneKeys,
  KEY_SECTIONS,
} from '../support/hygiene-keys.ts';
import { createManagementKey, type Pair, putWorkspace, usePair } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

const REPORT = '/v1/reports/hygiene';
const OWNERS = 'owners-without-active-keys';
const DAY_MS = 86_400_000;

/** Nobody else's keys are in it: reports of every workspace are of them alone. */
const whole = usePair();
const pair = usePair();

interface Listed {
  id: string;
  since: string;
  workspaceId: string;
}

/** All pages of a section. */
async function pagesOf<Row>(on: Pair, section: string, parameters: object = {}, as?: string) {
  const pages: Row[][] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ ...parameters, ...(cursor && { cursor }) });
    const url = `${REPORT}/${section}?${query}`;
    const answer = await on.second.call('GET', url, { ...(as && { as }) });
    expect([section, answer.status]).toEqual([section, 200]);
    pages.push(answer.body.data);
    cursor = answer.body.nextCursor;
  } while (cursor);
  return pages;
}

async function idsOf(section: string, parameters: object = {}, as?: string): Promise<string[]> {
  return (await pagesOf<Listed>(pair, section, parameters, as)).flat().map(({ id }) => id);
}

/** The sections of a report that have keys, with their counts. */
async function countsOf(on: Pair, parameters: Record<string, string>, as?: string) {
  const url = `${REPORT}?${new URLSearchParams(parameters)}`;
  const { body, status } = await on.first.call('GET', url, { ...(as && { as }) });
  expect(status).toBe(200);
  const found = body.sections.map((one: { section: string; count: number | null }) => [
    one.section,
    one.count,
  ]);
  return new Map<string, number | null>(found);
}

const texts = (values: object) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));

describe('the hygiene report', () => {
  const keys = hygieneKeys(600, 11);
  const Workspace = fc.constantFrom('listed', 'apart', '*');
  const inWorkspace = (id: string) =>
    keys.filter(({ workspace_id }) => (id === '*' ? workspace_id !== 'gone' : workspace_id === id));

  beforeAll(async () => {
    for (const id of ['listed', 'apart', 'gone']) await putWorkspace(whole.first, id);
    const sql = new pg.Client({ connectionString: whole.databaseUrl });
    await sql.connect();
    await insertHygieneKeys(sql, keys);
    // Its keys have not been ended yet.
    await sql.query(`update workspaces set deleted_at = now() where id = 'gone'`);
    await sql.end();
  });

  it.each(KEY_SECTIONS)(
    'the section %s of the hygiene report lists exactly the keys that a direct look at the rows finds, each on one page and with its time',
    async (section) => {
      const Limit = fc.constantFrom(9, 40, 200);
      await fc.assert(
        fc.asyncProperty(Workspace, HygieneParameters, Limit, async (workspaceId, by, limit) => {
          const pages = await pagesOf<Listed>(whole, section, texts({ workspaceId, ...by, limit }));
          for (const page of pages.slice(0, -1)) expect(page).toHaveLength(limit);
          const found = pages.flat().map(({ id, since }): [string, string] => [id, since]);
          expect(found.toSorted()).toEqual(
            [...expectedSection(inWorkspace(workspaceId), section, by)].toSorted(),
          );
        }),
        { numRuns: 6 },
      );
    },
  );

  it('the owners without active keys are exactly those that a direct look at the rows finds, page by page', async () => {
    for (const workspaceId of ['listed', 'apart', '*']) {
      const pages = await pagesOf<object>(whole, OWNERS, { workspaceId, limit: '2' });
      for (const page of pages.slice(0, -1)) expect(page).toHaveLength(2);
      const expected = expectedOwners(inWorkspace(workspaceId));
      expect(expected.length).toBeGreaterThan(0);
      expect(new Set(pages.flat())).toEqual(new Set(expected));
      expect(pages.flat()).toHaveLength(expected.length);
    }
  });

  it('the counts of the hygiene report are those of its lists, of one workspace and of all', async () => {
    await fc.assert(
      fc.asyncProperty(Workspace, HygieneParameters, async (workspaceId, by) => {
        const counts = await countsOf(whole, texts({ workspaceId, ...by }));
        const own = inWorkspace(workspaceId);
        const expected = KEY_SECTIONS.map((section): [string, number] => [
          section,
          expectedSection(own, section, by).size,
        ]);
        expect([...counts]).toEqual([...expected, [OWNERS, expectedOwners(own).length]]);
      }),
      { numRuns: 10 },
    );
  });

  it('a section begins with what should be looked at first: longest idle, next to expire, oldest string, most scopes', async () => {
    for (const section of ['idle', 'expiring', 'rotation-due', 'imported-never-rotated']) {
      const [rows = []] = await pagesOf<Listed>(whole, section, {
        workspaceId: 'listed',
        limit: '200',
      });
      expect(rows.length).toBeGreaterThan(1);
      const shown = rows.map(({ since }) => since.slice(0, 10));
      expect(shown).toEqual(shown.toSorted());
    }
    const many = { workspaceId: 'listed', maxScopes: '5', limit: '200' };
    const [rows = []] = await pagesOf<{ scopes: string[] }>(whole, 'many-scopes', many);
    const numbers = rows.map(({ scopes }) => scopes.length);
    expect(numbers).toEqual(numbers.toSorted((a, b) => b - a));
  });

  it('a key of a section is shown as the list of keys shows it, with the time beside it', async () => {
    const [rows = []] = await pagesOf<Listed>(whole, 'all-scopes', { workspaceId: 'listed' });
    const [{ since, ...shown } = { since: '', id: '' }] = rows;
    const { body } = await whole.first.call('GET', `/v1/keys/${shown.id}?workspaceId=listed`);
    expect(shown).toEqual(body);
    expect(since).toBe(body.createdAt);
  });

  it('the counts of a section that the database does not find in half a second are null, and the others are counted', async () => {
    const holder = await connect(whole.databaseUrl);
    await holder.query('begin; lock table key_usage in access exclusive mode');
    const counts = await countsOf(whole, { workspaceId: 'listed' });
    await holder.query('rollback');
    const unknown = [...counts].filter(([, count]) => count === null).map(([section]) => section);
    expect(unknown).toEqual(['never-used', 'idle']);
  });
});

it('a section counts up to 10,000 keys and says that there are more', async () => {
  await putWorkspace(pair.first, 'large');
  const sql = await connect(pair.databaseUrl);
  const insert = (from: number, to: number) =>
    sql.query(
      `insert into keys (id, workspace_id, name, prefix, scopes, metadata, enabled, created_at,
                         created_by, updated_at)
       select 'key_large' || lpad(i::text, 17, '0'), 'large', 'n', 'ak_live', '{}', '{}', true, now(),
              '{}', now() from generate_series($1::integer, $2) i`,
      [from, to],
    );
  const withoutExpiry = async () => {
    const { body } = await pair.first.call('GET', `${REPORT}?workspaceId=large`);
    return body.sections.find((one: { section: string }) => one.section === 'without-expiry');
  };
  await insert(1, 10_000);
  expect(await withoutExpiry()).toMatchObject({ count: 10_000, more: false });
  await insert(10_001, 10_002);
  expect(await withoutExpiry()).toMatchObject({ count: 10_000, more: true });
});

describe('who sees what of the hygiene report', () => {
  const bound = async (workspaceId: string) =>
    (await createManagementKey(pair.first, { permissions: ['keys:read'], workspaceId })).key;

  it('a caller that is bound to a workspace gets the report of that one alone, and no other exists for it', async () => {
    await putWorkspace(pair.first, 'own');
    await putWorkspace(pair.first, 'foreign');
    const mine = await createKey(pair.first, { workspaceId: 'own', ownerId: 'me', enabled: false });
    await createKey(pair.first, { workspaceId: 'foreign', ownerId: 'me' });
    const as = await bound('own');
    expect(await idsOf('without-expiry', {}, as)).toEqual([mine.id]);
    const owners = (await pagesOf<object>(pair, OWNERS, {}, as)).flat();
    expect(owners).toEqual([{ workspaceId: 'own', ownerId: 'me', keys: 1 }]);
    expect((await countsOf(pair, {}, as)).get('without-expiry')).toBe(1);
    for (const other of ['foreign', '*', 'missing']) {
      for (const path of ['', '/without-expiry', `/${OWNERS}`]) {
        const answer = await pair.first.call('GET', `${REPORT}${path}?workspaceId=${other}`, {
          as,
        });
        expectProblem(answer, { status: 404, code: 'NOT_FOUND' });
      }
    }
  });

  it('the report of a workspace that was made again has none of the keys and owners of its former tenant', async () => {
    await putWorkspace(pair.first, 'reborn');
    await createKey(pair.first, { workspaceId: 'reborn', ownerId: 'former', scopes: ['*'] });
    await pair.first.call('DELETE', '/v1/workspaces/reborn');
    await putWorkspace(pair.second, 'reborn');
    const as = await bound('reborn');
    const counts = await countsOf(pair, {}, as);
    expect([...counts.values()]).toEqual([...counts.keys()].map(() => 0));
    expect(await idsOf('all-scopes', {}, as)).toEqual([]);
    expect((await pagesOf<object>(pair, OWNERS, {}, as)).flat()).toEqual([]);
  });

  it('a suspended workspace has its report, and a deleted one has none', async () => {
    await putWorkspace(pair.first, 'paused');
    const { id } = await createKey(pair.first, { workspaceId: 'paused', scopes: ['*'] });
    const as = await bound('paused');
    await pair.first.call('POST', '/v1/workspaces/paused/suspend', { body: {} });
    expect(await idsOf('all-scopes', {}, as)).toEqual([id]);
    expect(await idsOf('all-scopes', { workspaceId: '*' })).toContain(id);
    await pair.first.call('DELETE', '/v1/workspaces/paused');
    for (const path of ['', '/without-expiry', `/${OWNERS}`]) {
      const answer = await pair.first.call('GET', `${REPORT}${path}?workspaceId=paused`);
      expectProblem(answer, { status: 404, code: 'NOT_FOUND' });
    }
    expect(await idsOf('all-scopes', { workspaceId: '*' })).not.toContain(id);
  });
});

describe('what becomes of a key in the hygiene report', () => {
  const has = async (section: string, id: string, more: object = {}) =>
    (await idsOf(section, { workspaceId: 'lives', limit: '200', ...more })).includes(id);

  it('a key is never used from a day after its creation until its first use, idle from the end of `idleDays` on, and rotation is due until it is rotated', async () => {
    await putWorkspace(pair.first, 'lives');
    const { id, key } = await createKey(pair.first, { workspaceId: 'lives' });
    expect(await has('never-used', id)).toBe(false);
    pair.advance(DAY_MS + 1000);
    expect(await has('never-used', id)).toBe(true);
    expect(await verdict(pair.first, key)).toBe('VALID');
    await pair.flush();
    expect(await has('never-used', id)).toBe(false);
    pair.advance(30 * DAY_MS - 1000);
    expect(await has('idle', id, { idleDays: '30' })).toBe(false);
    expect(await has('rotation-due', id, { rotateAfterDays: '30' })).toBe(true);
    pair.advance(2000);
    expect(await has('idle', id, { idleDays: '30' })).toBe(true);
    const body = { graceSeconds: 3600, workspaceId: 'lives' };
    await pair.first.call('POST', `/v1/keys/${id}/rotate`, { body });
    expect(await has('rotation-due', id, { rotateAfterDays: '30' })).toBe(false);
    expect(await has('retiring-in-use', id)).toBe(false);
    await verdict(pair.second, key);
    await pair.flush();
    expect(await has('retiring-in-use', id)).toBe(true);
    expect(await has('idle', id, { idleDays: '30' })).toBe(false);
    pair.advance(3_600_000);
    expect(await has('retiring-in-use', id)).toBe(false);
  });
});

it('a key with times that only SQL can have written is listed, and stops no page', async () => {
  await putWorkspace(pair.first, 'broken');
  const made = [];
  for (let i = 0; i < 3; i++)
    made.push(
      await createKey(pair.first, { workspaceId: 'broken', scopes: ['*'], enabled: false }),
    );
  const sql = await connect(pair.databaseUrl);
  const [first, second] = made.map(({ id }) => id);
  await sql.query(
    `update keys set created_at = '-infinity', updated_at = '-infinity' where id = $1`,
    [first],
  );
  await sql.query(
    `update keys set created_at = '20000-01-01', expires_at = 'infinity' where id = $1`,
    [second],
  );
  const all = made.map(({ id }) => id).toSorted();
  for (const section of ['all-scopes', 'without-expiry']) {
    const ids = await idsOf(section, { workspaceId: 'broken', limit: '1' });
    expect([section, ...ids.toSorted()]).toEqual([section, ...all]);
  }
  expect(await idsOf('disabled-long', { workspaceId: 'broken' })).toEqual([first]);
});

describe('bad parameters of the hygiene report', () => {
  it.each([
    ['?idleDays=0', '/query/idleDays'],
    ['?idleDays=3651', '/query/idleDays'],
    ['?expiringDays=x', '/query/expiringDays'],
    ['?maxScopes=4', '/query/maxScopes'],
    ['?maxScopes=101', '/query/maxScopes'],
    ['?rotateAfterDays=1.5', '/query/rotateAfterDays'],
    ['?disabledDays=-1', '/query/disabledDays'],
    ['?workspaceId=a%20b', '/query/workspaceId'],
    ['?unknown=1', '/query/unknown'],
    ['?limit=5', '/query/limit'],
    ['/idle?limit=201', '/query/limit'],
    [`/${OWNERS}?limit=0`, '/query/limit'],
    ['/unheard-of', '/path/section'],
  ])('the report of %j is refused with the pointer %s', async (path, pointer) => {
    const answer = await pair.first.call('GET', `${REPORT}${path}`);
    expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer });
  });

  it('a cursor goes on only in its section, with its parameters, and one that was made up is refused', async () => {
    await putWorkspace(pair.first, 'cursors');
    for (let i = 0; i < 3; i++) await createKey(pair.first, { workspaceId: 'cursors' });
    const url = (section: string, more: string) =>
      `${REPORT}/${section}?workspaceId=cursors&limit=2&${more}`;
    const { nextCursor } = (await pair.first.call('GET', url('without-expiry', ''))).body;
    const made = (value: unknown) => {
      const [name] = JSON.parse(Buffer.from(nextCursor, 'base64url').toString());
      return Buffer.from(JSON.stringify([name, value, 'key_0'])).toString('base64url');
    };
    const goesOn = await pair.second.call('GET', url('without-expiry', `cursor=${nextCursor}`));
    expect(goesOn.body.data).toHaveLength(1);
    const refused = [
      url('expiring', `cursor=${nextCursor}`),
      url(OWNERS, `cursor=${nextCursor}`),
      url('without-expiry', `idleDays=9&cursor=${nextCursor}`),
      ...[null, 'cursors', 'cursors noTime', 7].map((value) =>
        url('without-expiry', `cursor=${made(value)}`),
      ),
    ];
    for (const one of refused) {
      const answer = await pair.first.call('GET', one);
      expectProblem(answer, { status: 400, code: 'INVALID_CURSOR', pointer: '/query/cursor' });
    }
  });
});
