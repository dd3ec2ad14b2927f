import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Instance, launch } from '../support/instance.ts';
import { createManagementKey, putWorkspace } from '../support/pair.ts';
import { expectProblem } from '../support/refusals.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const at = (daysAgo: number, hour = 0) =>
  new Date(TODAY - daysAgo * DAY_MS + hour * HOUR_MS).toISOString();
/** From a week ago until yesterday, so that nothing moves. */
const WEEK = `from=${at(7)}&to=${at(0)}`;

let database: TestDatabase;
let keyward: Instance;
let sql: pg.Client;
let bound: string;
/** The ids of keys by their names. */
const ids: Record<string, string> = {};
let rotated: { refs: string[]; ids: string[] };

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  keyward = await launch(database.url);
  for (const id of ['acme', 'other']) await putWorkspace(keyward, id);
  await sql.query(`update workspaces set created_at = now() - interval '100 days'`);
  await makeKey('deploy', { workspaceId: 'acme', ownerId: 'alice' });
  await makeKey('backup', { workspaceId: 'acme', ownerId: 'alice' });
  await makeKey('report', { workspaceId: 'acme', ownerId: 'bob' });
  await makeKey('no owner', { workspaceId: 'acme' });
  await makeKey('elsewhere', { workspaceId: 'other', ownerId: 'alice' });
  await sql.query(`update keys set created_at = now() - interval '90 days'`);
  const rotation = { body: { graceSeconds: 3600 } };
  await keyward.call('POST', `/v1/keys/${ids.deploy}/rotate`, rotation);
  rotated = await stringsOf('deploy');
  bound = (await createManagementKey(keyward, { permissions: ['usage:read'], workspaceId: 'acme' }))
    .key;

  await use('deploy', at(3, 14), 'VALID', 100, 300);
  await use('deploy', at(3, 15), 'EXPIRED', 10, 0);
  await use('deploy', at(1), 'VALID', 5, 5, 1);
  await use('backup', at(3, 14), 'VALID', 40, 40);
  await use('report', at(2), 'VALID', 60, 600);
  await use('no owner', at(2), 'RATE_LIMITED', 7, 0);
  await use('elsewhere', at(3), 'VALID', 1000, 1000);
  for (const [workspace, count] of [
    ['acme', 9],
    ['other', 3],
    ['*', 2],
  ]) {
    await sql.query('insert into usage_unmatched values ($1, $2, $3)', [workspace, at(4), count]);
  }
});
afterAll(async () => {
  await sql.end();
  await keyward.stop();
  await database.drop();
});

async function makeKey(name: string, more: { workspaceId: string; ownerId?: string }) {
  const { body } = await keyward.call('POST', '/v1/keys', { body: { name, ...more } });
  ids[name] = body.id;
}

async function stringsOf(name: string) {
  const { rows } = await sql.query(
    'select ref, id from secrets where key_id = $1 order by status = $2 desc',
    [ids[name], 'current'],
  );
  return { refs: rows.map(({ ref }) => ref), ids: rows.map(({ id }) => id) };
}

/** `string` 1: the one before the rotation. */
async function use(
  name: string,
  hour: string,
  code: string,
  count: number,
  units: number,
  string = 0,
) {
  const { refs } = await stringsOf(name);
  await sql.query(
    `insert into usage_recent select workspace_id, id, $2, $3, $4, $5, $6 from keys where id = $1`,
    [ids[name], hour, refs[string], code, count, units],
  );
}

const ask = (query: string, as?: string) =>
  keyward.call('GET', `/v1/usage?${query}`, as === undefined ? {} : { as });
const read = async (query: string, as?: string) => {
  const answer = await ask(query, as);
  expect(answer.status, answer.text).toBe(200);
  return answer.body;
};
interface Group extends Record<string, unknown> {
  verifications: number;
  units: number;
  buckets: { start: string; verifications: number; units: number }[];
}
const shown = (data: Group[], ...fields: string[]) =>
  data.map((group) => [...fields.map((field) => group[field]), group.verifications]);

describe('GET /v1/usage', () => {
  it('usage by key names the keys, the one that is used most first, and what is of no key', async () => {
    const { data, total } = await read(`workspaceId=acme&groupBy=key&${WEEK}`);
    expect(shown(data, 'name', 'keyId', 'kind')).toEqual([
      ['deploy', ids.deploy, 'key', 115],
      ['report', ids.report, 'key', 60],
      ['backup', ids.backup, 'key', 40],
      [null, null, 'unmatched', 9],
      ['no owner', ids['no owner'], 'key', 7],
    ]);
    expect(total).toEqual({ verifications: 231, units: 945 });
    expect(data[0]).toMatchObject({ workspaceId: null, ownerId: null, code: null, buckets: [] });
  });

  it('usage by owner adds up the keys of each, and sorts by units if so asked', async () => {
    const { data, metric } = await read(`workspaceId=acme&groupBy=owner&metric=units&${WEEK}`);
    expect(metric).toBe('units');
    expect(shown(data, 'ownerId', 'kind', 'units')).toEqual([
      ['bob', 'key', 600, 60],
      ['alice', 'key', 345, 155],
      [null, 'unmatched', 0, 9],
      [null, 'key', 0, 7],
    ]);
  });

  it('usage by time has each bucket of the range, also where nothing was used', async () => {
    const { data, from, to } = await read(`workspaceId=acme&${WEEK}`);
    expect([from, to]).toEqual([at(7), at(0)]);
    expect(data.length).toBe(1);
    expect(
      data[0].buckets.map(({ start, verifications }: Group) => [start, verifications]),
    ).toEqual([
      ...[
        [at(7), 0],
        [at(6), 0],
        [at(5), 0],
        [at(4), 9],
      ],
      ...[
        [at(3), 150],
        [at(2), 67],
        [at(1), 5],
      ],
    ]);
  });

  it('usage by time of a range without any use is one group of zeros', async () => {
    const { data, total } = await read(`workspaceId=acme&from=${at(20)}&to=${at(18)}`);
    expect(data).toMatchObject([{ verifications: 0, units: 0, buckets: [{}, {}] }]);
    expect(total).toEqual({ verifications: 0, units: 0 });
    const none = await read(
      `workspaceId=acme&groupBy=key&groupBy=time&from=${at(20)}&to=${at(18)}`,
    );
    expect(none).toMatchObject({ data: [], total: { verifications: 0 }, nextCursor: null });
  });

  it('usage by hour answers what happened on a day at 14:00', async () => {
    const query = `workspaceId=acme&granularity=hour&groupBy=key&groupBy=time&limit=10`;
    const { data } = await read(`${query}&from=${at(3, 14)}&to=${at(3, 16)}`);
    expect(
      data.map(({ name, buckets }: Group) => [name, buckets.map((it) => it.verifications)]),
    ).toEqual([
      ['deploy', [100, 10]],
      ['backup', [40, 0]],
    ]);
  });

  it('usage by secret tells who still uses the old string', async () => {
    const { data } = await read(`workspaceId=acme&groupBy=secret&keyId=${ids.deploy}&${WEEK}`);
    expect(shown(data, 'secretId', 'kind')).toEqual([
      [rotated.ids[0], 'key', 110],
      [rotated.ids[1], 'key', 5],
    ]);
    expect(data[1].secretStart).toMatch(/^ak_live_.*…$/);
    const old = await read(`workspaceId=acme&secretId=${rotated.ids[1]}&${WEEK}`);
    expect(old.total).toEqual({ verifications: 5, units: 5 });
  });

  it('wrong keys that were tried are the group NOT_FOUND of their workspace, and no key is theirs', async () => {
    const codes = await read(`workspaceId=acme&groupBy=code&${WEEK}`);
    expect(shown(codes.data, 'code')).toEqual([
      ['VALID', 205],
      ['EXPIRED', 10],
      ['NOT_FOUND', 9],
      ['RATE_LIMITED', 7],
    ]);
    const tried = await read(`workspaceId=*&groupBy=workspace&code=NOT_FOUND&${WEEK}`);
    expect(shown(tried.data, 'workspaceId')).toEqual([
      ['acme', 9],
      ['other', 3],
      ['*', 2],
    ]);
    const ofKey = await read(`workspaceId=acme&keyId=${ids.deploy}&code=NOT_FOUND&${WEEK}`);
    expect(ofKey.total.verifications).toBe(0);
  });

  it('usage is narrowed by owner, key and verdict, together and across workspaces', async () => {
    const alice = await read(`workspaceId=*&groupBy=workspace&ownerId=alice&${WEEK}`);
    expect(shown(alice.data, 'workspaceId')).toEqual([
      ['other', 1000],
      ['acme', 155],
    ]);
    const some = await read(
      `workspaceId=acme&ownerId=alice&code=VALID&code=EXPIRED&groupBy=key&${WEEK}`,
    );
    expect(shown(some.data, 'name')).toEqual([
      ['deploy', 115],
      ['backup', 40],
    ]);
    const one = await read(
      `workspaceId=*&keyId=${ids.elsewhere}&groupBy=workspace&groupBy=key&groupBy=time&${WEEK}`,
    );
    expect(shown(one.data, 'workspaceId', 'name')).toEqual([['other', 'elsewhere', 1000]]);
    const none = await read(`workspaceId=acme&keyId=${ids.elsewhere}&groupBy=key&${WEEK}`);
    expect(none.data).toEqual([]);
  });

  it.each(['-metric', 'group'])(
    'the pages of usage in the order %s are disjoint and complete, and the first one alone has the total',
    async (order) => {
      const query = `workspaceId=*&groupBy=key&groupBy=code&groupBy=time&order=${order}&${WEEK}`;
      const whole = await read(query);
      const groups = [];
      let cursor = '';
      for (;;) {
        const page = await read(`${query}&limit=2${cursor}`);
        expect(page.total).toEqual(cursor === '' ? whole.total : null);
        groups.push(...page.data);
        if (page.nextCursor === null) break;
        cursor = `&cursor=${page.nextCursor}`;
      }
      expect(groups).toEqual(whole.data);
      expect(whole.data.length).toBe(7);
    },
  );

  it('later pages of usage keep the range of the first one, however late they are read', async () => {
    const first = await read('workspaceId=acme&groupBy=key&limit=1');
    keyward.advance(2 * DAY_MS);
    const second = await read(`workspaceId=acme&groupBy=key&limit=1&cursor=${first.nextCursor}`);
    keyward.advance(-2 * DAY_MS);
    expect([second.from, second.to]).toEqual([first.from, first.to]);
  });

  it('a caller that is bound to a workspace reads the usage of that one alone', async () => {
    const own = await read(`groupBy=key&${WEEK}`, bound);
    expect(own.total.verifications).toBe(231);
    expectProblem(await ask(`workspaceId=other&${WEEK}`, bound), {
      status: 404,
      code: 'NOT_FOUND',
    });
    expectProblem(await ask(`workspaceId=*&${WEEK}`, bound), { status: 404, code: 'NOT_FOUND' });
    for (const filter of [`keyId=${ids.elsewhere}`, 'ownerId=nobody']) {
      expect((await read(`groupBy=key&${filter}&${WEEK}`, bound)).data).toEqual([]);
    }
  });

  it('a bound caller reads nothing of a former tenant of its workspace, and an unbound one all of it', async () => {
    await sql.query(
      `insert into workspaces (id, created_at) values ('reborn', now() - interval '50 days')`,
    );
    await makeKey('of the former', { workspaceId: 'reborn' });
    await sql.query(`update keys set created_at = now() - interval '40 days' where id = $1`, [
      ids['of the former'],
    ]);
    await use('of the former', at(2), 'REVOKED', 4, 0);
    await sql.query(`insert into usage_unmatched values ('reborn', $1, 5)`, [at(4)]);
    await sql.query(`update workspaces set created_at = $1 where id = 'reborn'`, [at(3)]);
    await sql.query(`insert into usage_unmatched values ('reborn', $1, 6)`, [at(2)]);
    await makeKey('of the present', { workspaceId: 'reborn' });
    await sql.query(`update keys set created_at = $1 where id = $2`, [
      at(3),
      ids['of the present'],
    ]);
    await use('of the present', at(2), 'VALID', 8, 8);
    const options = { permissions: ['usage:read'] as const, workspaceId: 'reborn' };
    const { key } = await createManagementKey(keyward, options);
    expect((await read(WEEK, key)).total.verifications).toBe(14);
    expect(shown((await read(`groupBy=key&${WEEK}`, key)).data, 'name')).toEqual([
      ['of the present', 8],
      [null, 6],
    ]);
    expect((await read(`workspaceId=reborn&${WEEK}`)).total.verifications).toBe(23);
  });

  it('usage needs the permission usage:read', async () => {
    const { key } = await createManagementKey(keyward, { permissions: ['keys:read'] });
    expectProblem(await ask(WEEK, key), { status: 403, code: 'FORBIDDEN' });
  });

  it('a usage query that takes the database too long is 422 and keeps its connection', async () => {
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    await holder.query('begin; lock table usage_recent in access exclusive mode');
    const asking = ask(WEEK);
    // As the server does itself after statement_timeout.
    const cancel = `select pg_cancel_backend(pid) from pg_stat_activity
                     where wait_event_type = 'Lock' and datname = current_database()`;
    while ((await holder.query(cancel)).rowCount === 0);
    expectProblem(await asking, { status: 422, code: 'QUERY_TOO_BROAD' });
    await holder.query('rollback');
    await holder.end();
    await read(WEEK);
  });
});

describe('GET /v1/usage with bad input', () => {
  it.each([
    ['workspaceId=A%20B', '/query/workspaceId'],
    ['workspaceId=%00', '/query/workspaceId'],
    ['from=yesterday', '/query/from'],
    ['from=2030-02-30T00:00:00Z', '/query/from'],
    ['to=%00', '/query/to'],
    ['to=9999-12-31T23:59:59.999Z', '/query/to'],
    [`from=${at(1)}&to=${at(2)}`, '/query/from'],
    [`from=${at(1)}&to=${at(1)}`, '/query/from'],
    [`from=${at(500)}&to=${at(499)}`, '/query/from'],
    [`from=${at(300)}&to=${new Date(TODAY + 200 * DAY_MS).toISOString()}`, '/query/from'],
    [`granularity=hour&from=${at(100)}&to=${at(99)}`, '/query/from'],
    ['granularity=month&from=1980-01-01T00:00:00Z&to=2020-01-01T00:00:00Z', '/query/from'],
    [`timeZone=Europe/Berlin&from=${at(60)}`, '/query/from'],
    ['granularity=week', '/query/granularity'],
    ['timeZone=', '/query/timeZone'],
    ['timeZone=%00', '/query/timeZone'],
    ['timeZone=Mars/Olympus', '/query/timeZone'],
    ['timeZone=Asia/Kolkata', '/query/timeZone'],
    [`timeZone=${'A'.repeat(1000)}`, '/query/timeZone'],
    ['groupBy=plan', '/query/groupBy/0'],
    ['groupBy=', '/query/groupBy/0'],
    ['groupBy=key&groupBy=key', '/query/groupBy'],
    ['groupBy=secret', '/query/keyId'],
    ['ownerId=', '/query/ownerId'],
    ['ownerId=a%00b', '/query/ownerId'],
    ['ownerId=%F0%9F', '/query'],
    ['keyId=key_1', '/query/keyId/0'],
    ['keyId=%00', '/query/keyId/0'],
    ['secretId=sec_%00', '/query/secretId'],
    ['code=MAYBE', '/query/code/0'],
    ['code=VALID&code=VALID', '/query/code'],
    ['metric=bytes', '/query/metric'],
    ['order=-units', '/query/order'],
    ['limit=0', '/query/limit'],
    ['limit=201', '/query/limit'],
    ['limit=1e9', '/query/limit'],
    ['limit=99999999999999999999', '/query/limit'],
    ['groupBy=key&groupBy=time&granularity=hour', '/query/limit'],
    ['cursor=', '/query/cursor'],
    ['since=2030-01-01T00:00:00Z', '/query/since'],
    ['plan=gold', '/query/plan'],
  ])('usage refuses %s and names the field, as JSON and as CSV', async (query, pointer) => {
    for (const accept of ['application/json', 'text/csv']) {
      const answer = await keyward.call('GET', `/v1/usage?${query}`, { headers: { accept } });
      expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer });
    }
  });

  it('usage refuses the cursor of other parameters, and one that it never returned', async () => {
    const query = `workspaceId=acme&groupBy=key&limit=1&${WEEK}`;
    const { nextCursor } = await read(query);
    const refused = { status: 400, code: 'INVALID_CURSOR', pointer: '/query/cursor' };
    for (const other of [
      query.replace('acme', 'other'),
      query.replace('groupBy=key', 'groupBy=owner'),
      `${query}&order=group`,
      `${query}&metric=units`,
      `${query}&code=VALID`,
    ]) {
      expectProblem(await ask(`${other}&cursor=${nextCursor}`), refused);
    }
    const [name, value] = JSON.parse(Buffer.from(nextCursor, 'base64url').toString());
    for (const forged of [
      ['keys:0', value, 'x'],
      [name, null, 'x'],
      [name, 'x', 'x'],
      [name, '1 2', 'x'],
      [name, `9999999999999999999 ${TODAY} ${TODAY}`, 'x'],
      [name, value, 'a\0b'],
      [name, value, 1],
    ]) {
      const cursor = Buffer.from(JSON.stringify(forged)).toString('base64url');
      for (const accept of ['application/json', 'text/csv']) {
        const headers = { accept };
        const answer = await keyward.call('GET', `/v1/usage?${query}&cursor=${cursor}`, {
          headers,
        });
        expectProblem(answer, refused);
      }
    }
    // Times that no page has are refused as what they are.
    for (const range of ['-999999999999999 0', `0 999999999999999`, `${TODAY} 0`, '1 2']) {
      const forged = Buffer.from(JSON.stringify([name, `1 ${range}`, 'x'])).toString('base64url');
      expect((await ask(`${query}&cursor=${forged}`)).status).toBe(400);
    }
  });

  it('usage of a workspace that never existed is 404, and that of a deleted one is history', async () => {
    expectProblem(await ask('workspaceId=unborn'), { status: 404, code: 'NOT_FOUND' });
    await putWorkspace(keyward, 'ended');
    await keyward.call('DELETE', '/v1/workspaces/ended');
    await read('workspaceId=ended');
  });

  it('a list of keys is not sorted by usage, and says what answers that', async () => {
    const answer = await keyward.call('GET', '/v1/keys?sort=-usage30d');
    expectProblem(answer, { status: 400, code: 'INVALID_REQUEST', pointer: '/query/sort' });
    expect(answer.body.detail).toContain('GET /v1/usage?groupBy=key&order=-metric');
  });
});
