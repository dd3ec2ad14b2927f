import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { base62 } from '../support/forged-key.ts';
import { type Instance, launch } from '../support/instance.ts';
import { expectProblem } from '../support/refusals.ts';
import { copyRow } from '../support/sql-copies.ts';

interface Bucket {
  start: string;
  total: number;
  byCode: Record<string, number>;
}

describe('reading how a key was used', () => {
  let database: TestDatabase;
  let keyward: Instance;
  let client: pg.Client;
  let id: string;
  let refs: [current: string, retired: string];

  beforeAll(async () => {
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    // Buckets are in UTC, whatever the time zone of the database.
    await client.query(
      `do $$ begin execute format('alter database %I set timezone to ''Asia/Kathmandu''', current_database()); end $$`,
    );
    keyward = await launch(database.url);
    id = (await keyward.call('POST', '/v1/keys', { body: { name: 'used' } })).body.id;
    refs = await withRetiredSecret();
    await used(refs[0], '2030-03-01T00', 'VALID', 5);
    await used(refs[0], '2030-03-01T00', 'EXPIRED', 1);
    await used(refs[0], '2030-03-01T23', 'VALID', 7);
    await used(refs[1], '2030-03-01T23', 'VALID', 2);
    await used(refs[0], '2030-03-02T00', 'DISABLED', 3);
    await used(refs[1], '2030-03-04T12', 'VALID', 4);
  });
  afterAll(async () => {
    await client.end();
    await keyward.stop();
    await database.drop();
  });

  async function withRetiredSecret(): Promise<[string, string]> {
    const { rows } = await client.query('select ref from secrets where key_id = $1', [id]);
    const ref = base62(16);
    const change = { ref, id: `sec_${base62(22)}`, status: 'retired', start: 'ak_live_older0…' };
    await copyRow(client, 'secrets', { ref: rows[0].ref }, [change]);
    return [rows[0].ref, ref];
  }

  const used = (ref: string, hour: string, code: string, count: number) =>
    client.query(
      `insert into usage_recent (workspace_id, key_id, hour, secret_ref, code, count, units)
       values ('default', $1, $2, $3, $4, $5::bigint, 2 * $5::bigint)`,
      [id, `${hour}:00:00Z`, ref, code, count],
    );
  const read = (query: string, of = id) => keyward.call('GET', `/v1/keys/${of}/usage?${query}`);
  const filled = (buckets: Bucket[]) =>
    buckets
      .filter(({ total }) => total > 0)
      .map(({ start, total, byCode }) => [start, total, byCode]);

  it('usage by day has a bucket for every UTC day of the range, also for those without use', async () => {
    const { status, body } = await read('from=2030-03-01T00:00:00Z&to=2030-03-05T00:00:00Z');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      from: '2030-03-01T00:00:00.000Z',
      to: '2030-03-05T00:00:00.000Z',
      granularity: 'day',
      total: 22,
      units: 44,
      byCode: { VALID: 18, EXPIRED: 1, DISABLED: 3 },
    });
    expect(body.buckets).toEqual([
      {
        start: '2030-03-01T00:00:00.000Z',
        total: 15,
        units: 30,
        byCode: { VALID: 14, EXPIRED: 1 },
      },
      { start: '2030-03-02T00:00:00.000Z', total: 3, units: 6, byCode: { DISABLED: 3 } },
      { start: '2030-03-03T00:00:00.000Z', total: 0, units: 0, byCode: {} },
      { start: '2030-03-04T00:00:00.000Z', total: 4, units: 8, byCode: { VALID: 4 } },
    ]);
  });

  it('usage by hour has a bucket for every hour of the range', async () => {
    const { body } = await read(
      'granularity=hour&from=2030-03-01T00:00:00Z&to=2030-03-03T00:00:00Z',
    );
    expect(body.buckets.length).toBe(48);
    expect(filled(body.buckets)).toEqual([
      ['2030-03-01T00:00:00.000Z', 6, { VALID: 5, EXPIRED: 1 }],
      ['2030-03-01T23:00:00.000Z', 9, { VALID: 9 }],
      ['2030-03-02T00:00:00.000Z', 3, { DISABLED: 3 }],
    ]);
    const starts = body.buckets.map(({ start }: Bucket) => Date.parse(start));
    expect(starts.every((at: number, i: number) => at === starts[0] + i * 3_600_000)).toBe(true);
  });

  it('usage by month has a bucket for every month of the range', async () => {
    const { body } = await read(
      'granularity=month&from=2030-02-15T00:00:00Z&to=2030-03-15T00:00:00Z',
    );
    expect(body.buckets.map(({ start, total }: Bucket) => [start, total])).toEqual([
      ['2030-02-01T00:00:00.000Z', 0],
      ['2030-03-01T00:00:00.000Z', 22],
    ]);
  });

  it('usage shows how often each secret was used, also one that has ended', async () => {
    const { body } = await read('from=2030-03-01T00:00:00Z&to=2030-03-05T00:00:00Z');
    const bySecret = body.bySecret.map(({ start, total }: { start: string; total: number }) => [
      start.startsWith('ak_live_older0') ? 'retired' : 'current',
      total,
    ]);
    expect(new Map(bySecret)).toEqual(
      new Map([
        ['current', 16],
        ['retired', 6],
      ]),
    );
  });

  it('the buckets, the codes and the secrets of a usage answer each add up to the total', async () => {
    for (const granularity of ['hour', 'day']) {
      const { body } = await read(
        `granularity=${granularity}&from=2030-02-25T00:00:00Z&to=2030-03-08T00:00:00Z`,
      );
      const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);
      const totals = (list: { total: number }[]) => sum(list.map(({ total }) => total));
      expect(totals(body.buckets)).toBe(body.total);
      expect(totals(body.bySecret)).toBe(body.total);
      expect(sum(Object.values(body.byCode))).toBe(body.total);
    }
  });

  it('a usage range begins at `from` and ends before `to`, both widened to whole buckets', async () => {
    const one = await read('from=2030-03-01T13:30:00Z&to=2030-03-01T13:31:00Z');
    expect(one.body).toMatchObject({
      from: '2030-03-01T00:00:00.000Z',
      to: '2030-03-02T00:00:00.000Z',
      total: 15,
    });
    const hour = await read(
      'granularity=hour&from=2030-03-01T23:59:59.999Z&to=2030-03-02T00:00:00Z',
    );
    expect(hour.body).toMatchObject({
      from: '2030-03-01T23:00:00.000Z',
      to: '2030-03-02T00:00:00.000Z',
      total: 9,
    });
    const offset = await read('from=2030-03-02T01:00:00%2B02:00&to=2030-03-02T02:00:00%2B02:00');
    expect(offset.body).toMatchObject({ from: '2030-03-01T00:00:00.000Z', total: 15 });
  });

  it('usage without a range covers the last 30 days up to now, today included', async () => {
    const { body } = await read('');
    expect(body.buckets.length).toBe(30);
    const end = Date.parse(body.to);
    expect(end).toBeGreaterThan(Date.now() - 60_000);
    expect(end).toBeLessThanOrEqual(Date.now() + 86_460_000);
    const until = await read('to=2030-03-05T00:00:00Z');
    expect(until.body).toMatchObject({ from: '2030-02-03T00:00:00.000Z', total: 22 });
  });

  it.each([
    ['day', 400, '2029-01-01T00:00:00Z'],
    ['hour', 35, '2030-01-29T00:00:00Z'],
  ])('usage by %s accepts up to %i days', async (granularity, days, from) => {
    const to = (more: number) =>
      new Date(Date.parse(from) + days * 86_400_000 + more).toISOString();
    const query = `granularity=${granularity}&from=${from}`;
    const longest = await read(`${query}&to=${to(0)}`);
    expect(longest.status).toBe(200);
    expect(longest.body.buckets.length).toBe(granularity === 'day' ? days : days * 24);
    const refused = { status: 400, code: 'INVALID_REQUEST', pointer: '/query/from' };
    expectProblem(await read(`${query}&to=${to(1)}`), refused);
  });

  it.each([
    ['from=2030-03-02T00:00:00Z&to=2030-03-01T00:00:00Z', '/query/from'],
    ['from=2030-03-02T00:00:00Z&to=2030-03-02T00:00:00Z', '/query/from'],
    ['from=2030-03-02', '/query/from'],
    ['to=2030-02-30T00:00:00Z', '/query/to'],
    // What is not kept by day any more is not shown as zero.
    ['from=1970-01-01T00:00:00Z&to=1970-01-02T00:00:00Z', '/query/from'],
    ['granularity=week', '/query/granularity'],
    ['granularity=', '/query/granularity'],
    ['to=9999-12-31T23:59:59.999Z', '/query/to'],
    ['since=2030-03-02T00:00:00Z', '/query/since'],
    ['to=2030-03-02T00:00:00Z&to=2030-03-02T00:00:00Z', '/query/to'],
  ])('usage refuses %s', async (query, pointer) => {
    expectProblem(await read(query), { status: 400, code: 'INVALID_REQUEST', pointer });
  });

  it('usage at the edges of time is answered and never fails', async () => {
    for (const query of [
      'granularity=month&from=1970-01-01T00:00:00Z&to=1970-01-02T00:00:00Z',
      'granularity=month&to=1970-01-01T00:00:00Z',
      'granularity=month&to=1970-01-02T00:00:00Z',
      'to=9999-12-31T00:00:00Z',
      'granularity=hour&from=9999-12-30T00:00:00Z&to=9999-12-30T23:59:59.999Z',
    ]) {
      expect((await read(query)).status).toBe(200);
    }
  });

  it('usage of a deleted key can still be read, and that of a key that never existed is 404', async () => {
    const { body } = await keyward.call('POST', '/v1/keys', { body: { name: 'gone' } });
    await keyward.call('DELETE', `/v1/keys/${body.id}`);
    expect((await read('', body.id)).status).toBe(200);
    const answer = await read('', `key_${'0'.repeat(22)}`);
    expectProblem(answer, { status: 404, code: 'NOT_FOUND' });
  });

  it('usage shows what was answered once it is flushed, in the hour of the answer', async () => {
    const { body } = await keyward.call('POST', '/v1/keys', { body: { name: 'live' } });
    await keyward.call('POST', '/v1/verify', { body: { key: body.key } });
    await keyward.call('POST', '/v1/verify', { body: { key: body.key, requiredScopes: ['x'] } });
    await keyward.flush();
    const usage = (await read('granularity=hour', body.id)).body;
    expect(usage).toMatchObject({ total: 2, byCode: { VALID: 1, INSUFFICIENT_SCOPE: 1 } });
    expect(filled(usage.buckets.slice(-2)).length).toBeGreaterThan(0);
  });
});
