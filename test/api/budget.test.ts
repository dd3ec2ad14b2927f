import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ROOT_KEY } from '../support/instance.ts';
import { usePair } from '../support/pair.ts';
import { verdict } from '../support/sql-keys.ts';

const hashOf = (text: string) => ({
  algorithm: 'sha256',
  value: createHash('sha256').update(text).digest('hex'),
});

describe('bodies that would be much work', () => {
  const pair = usePair();
  const send = (method: string, url: string, body: unknown, headers = {}) =>
    pair.first.call(method, url, { body, headers });
  const importKeys = (keys: unknown[], headers = {}) =>
    send('POST', '/v1/keys/import', { keys }, headers);

  it('a value that is wrong all over is refused with ten errors, its length first', async () => {
    const scopes = Array.from({ length: 5000 }, () => 0);
    const { status, body } = await send('POST', '/v1/keys', { name: 'k', scopes });
    expect(status).toBe(400);
    expect(body.errors).toHaveLength(10);
    expect(body.errors[0].pointer).toBe('/body/scopes');
    expect(body.errors[0].detail).toContain('100 items');
  });

  it('unknown names are refused with ten errors, in a body, an item and a query', async () => {
    const names = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`x${i}`, 0]));
    const single = await send('POST', '/v1/keys', { name: 'k', ...names });
    expect([single.status, single.body.errors.length]).toEqual([400, 10]);
    const list = await importKeys([{ name: 'k', hash: hashOf('names'), ...names }]);
    expect(list.body.results[0].errors).toHaveLength(10);
    const query = Object.keys(names).slice(0, 1000).join('&');
    const asked = await pair.first.call('GET', `/v1/keys?${query}`);
    expect([asked.status, asked.body.errors.length]).toEqual([400, 10]);
  });

  it.each([
    ['POST', '/v1/keys'],
    ['PATCH', '/v1/keys/key_0000000000000000000000'],
    ['PUT', '/v1/workspaces/acme'],
    ['POST', '/v1/verify'],
  ])(
    '%s %s refuses a body with more than 8192 values before it looks at them',
    async (method, url) => {
      const answer = await send(method, url, { metadata: { list: Array(9000).fill(0) } });
      expect(answer.body.errors).toEqual([
        { pointer: '/body/metadata/list', detail: 'has more than 8192 values' },
      ]);
    },
  );

  it('a list that is too long is refused as a whole, however long it is', async () => {
    const answer = await importKeys(Array(400_000).fill(0));
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toHaveLength(1);
    expect(answer.body.errors[0].pointer).toBe('/body/keys');
  });

  it('an item that is too long is refused alone, and one with a key beside it too', async () => {
    const item = (name: string) => ({ name, hash: hashOf(name) });
    const tooLong = { ...item('long'), metadata: { text: 'x'.repeat(70_000) } };
    const withKey = { ...item('glued'), metadata: { text: `n${ROOT_KEY}n` } };
    const { body } = await importKeys([tooLong, item('first'), withKey, item('last')]);
    const statuses = body.results.map((one: { status: string }) => one.status);
    expect(statuses).toEqual(['invalid', 'created', 'invalid', 'created']);
    expect(body.results[0].errors[0].detail).toBe('is longer than 65536 characters');
    expect(await verdict(pair.second, 'last')).toBe('VALID');
  });

  it('a long import with the same Idempotency-Key is a repetition if its items are the same, however they are spaced', async () => {
    const keys = Array.from({ length: 900 }, (_, i) => ({
      name: `same ${i}`,
      description: 'd'.repeat(100),
      hash: hashOf(`same ${i}`),
    }));
    const headers = { 'idempotency-key': 'a-long-import' };
    const first = await importKeys(keys, headers);
    const again = await send('POST', '/v1/keys/import', JSON.stringify({ keys }, null, 1), headers);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.text).toBe(first.text);
    const [one, ...others] = keys;
    const changed = await importKeys([{ ...one, name: 'another' }, ...others], headers);
    expect(changed.body.code).toBe('IDEMPOTENCY_MISMATCH');
  });

  it('a body above 64 KiB that is no list, or not JSON, is refused', async () => {
    const spaces = ' '.repeat(70_000);
    const text = (json: string) => send('POST', '/v1/keys/import', json);
    expect((await text(`{"keys":[${spaces}1,]}`)).body.code).toBe('MALFORMED_JSON');
    expect((await text(`{"keys":[1],"note":"${'x'.repeat(70_000)}"}`)).status).toBe(413);
    expect((await text(`[${'0,'.repeat(50_000)}0]`)).status).toBe(413);
  });

  it.each([
    ['after a newline', `\n${ROOT_KEY}`],
    ['between other characters of its alphabet', `abc${ROOT_KEY}xyz`],
  ])('the root key is refused in every text and name %s', async (_, text) => {
    const bodies = [
      { name: 'k', description: `a${text}` },
      { name: 'k', metadata: { a: { [`a${text}`]: 1 } } },
      { name: 'k', resources: [`a${text}`.replace('\n', '-')] },
    ];
    for (const body of bodies) {
      expect((await send('POST', '/v1/keys', body)).body.code).toBe('CONTAINS_KEY');
    }
  });

  it('the root key between other characters is neither a request id, an actor nor an Idempotency-Key', async () => {
    const glued = `x-${ROOT_KEY}-y`;
    const create = (headers: object) => send('POST', '/v1/keys', { name: 'k' }, headers);
    const named = await create({ 'x-request-id': glued });
    expect(named.headers['x-request-id']).toMatch(/^req_/);
    expect((await create({ 'keyward-actor': glued })).body.code).toBe('CONTAINS_KEY');
    expect((await create({ 'idempotency-key': glued })).status).toBe(400);
    expect(pair.first.logLines.join('')).not.toContain(ROOT_KEY);
  });
});
