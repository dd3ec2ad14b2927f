import { parse as parseCsv } from 'csv-parse/sync';
import pg from 'pg';
import { beforeAll, expect, it } from 'vitest';
import { csvOf } from '../../src/usage/query/csv.ts';
import type { UsageGroup } from '../../src/usage/query/schemas.ts';
import { ROOT_KEY } from '../support/instance.ts';
import { usePair } from '../support/pair.ts';
import { listen } from '../support/raw-http.ts';

const DAY_MS = 86_400_000;
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const YESTERDAY = new Date(TODAY - DAY_MS).toISOString();
const RANGE = `from=${YESTERDAY}&to=${new Date(TODAY).toISOString()}`;
/** More groups than a page of a stream has. */
const MANY = 6000;

const pair = usePair();

beforeAll(async () => {
  for (const [name, ownerId] of [
    ['=1+1', '@cmd'],
    ['a, "b"', '-2'],
    ['+49', 'plain'],
  ]) {
    await pair.first.call('POST', '/v1/keys', { body: { name, ownerId } });
  }
  const client = new pg.Client({ connectionString: pair.databaseUrl });
  await client.connect();
  await client.query(
    `insert into usage_recent (workspace_id, key_id, hour, secret_ref, code, count, units)
     select workspace_id, id, $1, 'ref', 'VALID', 3, 4 from keys`,
    [YESTERDAY],
  );
  await client.query(
    `insert into usage_recent (workspace_id, key_id, hour, secret_ref, code, count, units)
     select 'many', 'key_' || lpad(n::text, 22, '0'), $1, 'ref', 'VALID', n, n from generate_series(1, $2) as n`,
    [YESTERDAY, MANY],
  );
  await client.query(`insert into workspaces (id) values ('many')`);
  await client.end();
});

const parse = (text: string): Record<string, string>[] => parseCsv(text, { columns: true });

const ask = (query: string, accept: string) =>
  pair.first.call('GET', `/v1/usage?${query}&${RANGE}`, { headers: { accept } });

it('usage as CSV has the lines of usage as JSON, under the names of its fields', async () => {
  const query = 'groupBy=key&groupBy=owner&groupBy=code&groupBy=time';
  const csv = await ask(query, 'text/csv');
  expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8');
  const { body } = await ask(query, 'application/json');
  const lines = parse(csv.text);
  const guarded = (text: string) => (/^[=+@-]/.test(text) ? `'${text}` : text);
  expect(lines).toEqual(
    body.data.map(({ keyId, name, ownerId, code, kind }: Record<string, string>) => ({
      start: YESTERDAY,
      ...{ workspaceId: '', secretId: '', secretStart: '', keyId, code, kind },
      ...{ name: guarded(name ?? ''), ownerId: guarded(ownerId ?? '') },
      ...{ verifications: '3', units: '4' },
    })),
  );
  expect(csv.text.split('\r\n').length).toBe(5);
});

it('no cell of usage as CSV begins as a formula of a spreadsheet, and quotes are doubled', async () => {
  const { text } = await ask('groupBy=key&groupBy=owner', 'text/csv');
  expect(text).toContain(`,'=1+1,`);
  expect(text).toContain(`,'@cmd,`);
  expect(text).toContain(`,'-2,`);
  expect(text).toContain(`,'+49,`);
  expect(text).toContain(`,"a, ""b""",`);
});

it.each([
  ['text/csv', 'text/csv'],
  ['text/csv;q=0.9, application/json;q=0.8', 'text/csv'],
  ['text/csv;q=0.5, application/json;q=0.8', 'application/json'],
  ['application/json, text/csv', 'application/json'],
  ['application/json, text/csv;q=0.5', 'application/json'],
  ['application/json;q=0.5, text/csv', 'text/csv'],
  ['TEXT/CSV; charset=utf-8', 'text/csv'],
  ['text/csv, */*;q=0.1', 'text/csv'],
  ['text/*', 'text/csv'],
  ['text/csv;q=0', 'application/json'],
  ['text/csv;q=0, */*', 'application/json'],
  ['*/*', 'application/json'],
  ['text/html', 'application/json'],
])('usage for Accept: %s is %s', async (accept, type) => {
  expect((await ask('groupBy=key', accept)).headers['content-type']).toContain(type);
});

it('usage as CSV in the order of groups is all of them, whatever the limit, and by size the first of them', async () => {
  const query = 'workspaceId=many&groupBy=key&limit=10';
  const all = parse((await ask(`${query}&order=group`, 'text/csv')).text);
  expect(all.length).toBe(MANY);
  expect(new Set(all.map(({ keyId }) => keyId)).size).toBe(MANY);
  const largest = parse((await ask(query, 'text/csv')).text);
  expect(largest.map(({ units }) => Number(units))).toEqual(
    Array.from({ length: 10 }, (_, index) => MANY - index),
  );
});

it('usage as CSV that fails after its first line ends the connection, so that no client takes it for whole', async () => {
  const { database } = pair.second.service.internals;
  const transaction = database.orm.transaction.bind(database.orm);
  let reads = 0;
  database.orm.transaction = (...call) => {
    reads += 1;
    return reads === 2 ? Promise.reject(new Error('lost')) : transaction(...call);
  };
  const port = await listen(pair.second);
  const url = `http://127.0.0.1:${port}/v1/usage?workspaceId=many&groupBy=key&order=group&${RANGE}`;
  const headers = { authorization: `Bearer ${ROOT_KEY}`, accept: 'text/csv' };
  const response = await fetch(url, { headers });
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
  database.orm.transaction = transaction;
  expect((await fetch(url, { headers })).status).toBe(200);
});

it('a page of usage as CSV is read when the one before was taken, so that a slow client holds no more', async () => {
  let read = 0;
  const group: UsageGroup = {
    ...{ workspaceId: null, ownerId: null, keyId: 'key', secretId: null, secretStart: null },
    ...{ code: null, kind: 'key', name: 'a name', verifications: 1, units: 1, buckets: [] },
  };
  async function* pages() {
    for (; read < 10; read++) yield Array.from({ length: 1000 }, () => group);
  }
  const chunks = csvOf(pages());
  await chunks.next();
  expect(read).toBe(0);
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    expect(chunk.length).toBeLessThan(20_000);
  }
  expect(read).toBe(10);
  expect(length).toBeGreaterThan(200_000);
});
