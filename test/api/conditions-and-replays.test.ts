import { expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const pair = usePair();

it('`If-None-Match: *` on PUT makes a workspace and never replaces one', async () => {
  const put = () =>
    pair.first.call('PUT', '/v1/workspaces/once', {
      body: { name: 'of the first' },
      headers: { 'if-none-match': '*' },
    });
  expect((await put()).status).toBe(201);
  expect((await put()).body).toMatchObject({ status: 412, code: 'PRECONDITION_FAILED' });
});

it('a workspace is answered with 304 and no body to a caller that has that version, and in full after a change', async () => {
  const url = '/v1/workspaces/default';
  const { headers } = await pair.first.call('GET', url);
  const tag = String(headers.etag);
  const ask = (known: string) =>
    pair.second.call('GET', url, { headers: { 'if-none-match': known } });
  for (const known of [tag, `W/${tag}`, `"0", ${tag}`]) {
    const { status, text, headers: shown } = await ask(known);
    expect([status, text, shown.etag]).toEqual([304, '', tag]);
  }
  await pair.first.call('PATCH', url, { body: { name: 'another' } });
  expect((await ask(tag)).status).toBe(200);
});

it('a key or a management key that has expired is shown so to a caller that has its entity tag', async () => {
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const key = await createKey(pair.first, { expiresAt });
  const { body: manager } = await pair.first.call('POST', '/v1/management-keys', {
    body: { name: 'short-lived', permissions: ['keys:read'], expiresAt },
  });
  const urls = [`/v1/keys/${key.id}`, `/v1/management-keys/${manager.id}`];
  const tags = await Promise.all(urls.map((url) => pair.second.call('GET', url)));
  pair.second.advance(3_600_001);
  for (const [index, url] of urls.entries()) {
    const known = String(tags[index]?.headers.etag);
    const answer = await pair.second.call('GET', url, { headers: { 'if-none-match': known } });
    expect(answer).toMatchObject({ status: 200, body: { status: 'expired' } });
    expect(answer.headers.etag).toBe(known);
  }
});

it('a change by PATCH is made once for each Idempotency-Key, and its replay has the first entity tag', async () => {
  const { id } = await createKey(pair.first, {});
  const patch = (name: string) =>
    pair.second.call('PATCH', `/v1/keys/${id}`, {
      body: { name },
      headers: { 'idempotency-key': 'patch-1' },
    });
  const first = await patch('one');
  await pair.first.call('PATCH', `/v1/keys/${id}`, { body: { name: 'two' } });
  const replay = await patch('one');
  expect(replay.body).toEqual(first.body);
  expect(replay.headers).toMatchObject({ etag: first.headers.etag, 'idempotent-replayed': 'true' });
  expect((await pair.first.call('GET', `/v1/keys/${id}`)).body.name).toBe('two');
  expect((await patch('three')).body.code).toBe('IDEMPOTENCY_MISMATCH');
});

it('a repeated DELETE with its Idempotency-Key answers as the first did', async () => {
  const { id } = await createKey(pair.first, {});
  await putWorkspace(pair.first, 'gone');
  for (const url of [`/v1/keys/${id}`, '/v1/workspaces/gone']) {
    const end = () =>
      pair.second.call('DELETE', url, {
        headers: { 'idempotency-key': `of ${url.length}`.replace(' ', '-') },
      });
    const [first, replay] = [await end(), await end()];
    expect([first.status, replay.status]).toEqual([204, 204]);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    expect(replay.headers['idempotent-replayed']).toBe('true');
  }
});

it('a replay of a creation carries Location, ETag and Cache-Control as the first answer did', async () => {
  for (const [url, body] of [
    ['/v1/keys', { name: 'a' }],
    ['/v1/management-keys', { name: 'a', permissions: ['keys:read'] }],
  ] as const) {
    const make = () =>
      pair.first.call('POST', url, { body, headers: { 'idempotency-key': `make${url}` } });
    const [first, replay] = [await make(), await make()];
    for (const name of ['location', 'etag', 'cache-control']) {
      expect(replay.headers[name]).toBe(first.headers[name]);
      expect(first.headers[name]).toEqual(expect.any(String));
    }
  }
});

it('a key that needs newer rules is explained no more than it is verified', async () => {
  const { id, key } = await createKey(pair.first, {});
  const client = await connect(pair.databaseUrl);
  await client.query('update keys set min_policy_version = 99 where id = $1', [id]);
  await client.end();
  const verified = await pair.second.call('POST', '/v1/verify', { body: { key } });
  const explained = await pair.second.call('POST', `/v1/keys/${id}/explain`, { body: {} });
  expect([verified.status, explained.status]).toEqual([503, 503]);
});

it.each([['*'], ['billing:*']])(
  'a wildcard that covers no available scope is refused at creation and at a change: %s',
  async (scope) => {
    const availableScopes =
      scope === '*' ? [] : [{ scope: 'orders:read', title: 't', description: 'd' }];
    const workspaceId = `scoped-${scope.length}`;
    await putWorkspace(pair.first, workspaceId, { availableScopes });
    const body = { name: 'a', workspaceId, scopes: [scope] };
    const pointers = [{ pointer: '/body/scopes/0' }];
    expect((await pair.first.call('POST', '/v1/keys', { body })).body.errors).toMatchObject(
      pointers,
    );
    const { id } = await createKey(pair.first, { workspaceId });
    const changed = await pair.first.call('PATCH', `/v1/keys/${id}`, { body: { scopes: [scope] } });
    expect(changed.body.errors).toMatchObject(pointers);
  },
);
