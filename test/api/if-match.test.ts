import { describe, expect, it } from 'vitest';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

/** Stale tags on every call: see mutating-calls.test.ts. Here: which headers match. */
describe('If-Match', () => {
  const pair = usePair();
  const patch = (id: string, ifMatch: string) =>
    pair.first.call('PATCH', `/v1/keys/${id}`, {
      body: { description: `matched ${ifMatch}` },
      headers: { 'if-match': ifMatch },
    });
  const etagOf = async (id: string) =>
    String((await pair.second.call('GET', `/v1/keys/${id}`)).headers.etag);

  it('every answer carries a strong ETag, and every change renews it', async () => {
    const created = await pair.first.call('POST', '/v1/keys', { body: { name: 'a key' } });
    const { id } = created.body;
    expect(created.headers.etag).toMatch(/^"[^"]+"$/);
    expect(await etagOf(id)).toBe(created.headers.etag);
    const changed = await patch(id, String(created.headers.etag));
    expect(changed.status).toBe(200);
    expect(changed.headers.etag).not.toBe(created.headers.etag);
    expect(await etagOf(id)).toBe(changed.headers.etag);
    expect((await patch(id, String(created.headers.etag))).status).toBe(412);
  });

  it('If-Match accepts the ETag, a list with it, and `*`, but no weak or unquoted ETag', async () => {
    const { id } = await createKey(pair.first);
    const outcome = async (header: (etag: string) => string) =>
      (await patch(id, header(await etagOf(id)))).status;
    expect(await outcome((etag) => etag)).toBe(200);
    expect(await outcome((etag) => `"0",${etag} , "x"`)).toBe(200);
    expect(await outcome(() => '*')).toBe(200);
    expect(await outcome((etag) => `W/${etag}`)).toBe(412);
    expect(await outcome((etag) => etag.replaceAll('"', ''))).toBe(412);
    expect(await outcome(() => '"0", "x"')).toBe(412);
    expect(await outcome(() => '')).toBe(412);
  });

  it('a verification does not renew the ETag, since counters are not part of it', async () => {
    const { id, key } = await createKey(pair.first);
    const before = await etagOf(id);
    await verdict(pair.second, key);
    await pair.flush();
    expect(await etagOf(id)).toBe(before);
  });

  it('a call that changes nothing keeps the ETag', async () => {
    const { id } = await createKey(pair.first);
    const before = await etagOf(id);
    const same = { name: 'a key', scopes: [], metadata: {} };
    const answer = await pair.first.call('PATCH', `/v1/keys/${id}`, { body: same });
    expect(answer.headers.etag).toBe(before);
  });

  it('rotating, ending a grace period and revoking renew the ETag', async () => {
    const { id } = await createKey(pair.first);
    const seen = [await etagOf(id)];
    const calls: [string, string, object?][] = [
      ['POST', `/v1/keys/${id}/rotate`, { graceSeconds: 60 }],
      ['DELETE', `/v1/keys/${id}/retiring-secret`],
      ['POST', `/v1/keys/${id}/revoke`],
    ];
    for (const [method, url, body] of calls) {
      await pair.first.call(method, url, body ? { body } : {});
      seen.push(await etagOf(id));
    }
    expect(new Set(seen).size).toBe(4);
  });

  it('a PUT with If-Match replaces and never creates, even if a workspace was deleted', async () => {
    const put = (id: string, ifMatch: string) =>
      pair.first.call('PUT', `/v1/workspaces/${id}`, {
        body: { name: 'new' },
        headers: { 'if-match': ifMatch },
      });
    const { headers } = await putWorkspace(pair.first, 'one');
    expect((await put('unborn', '*')).status).toBe(412);
    expect((await pair.second.call('GET', '/v1/workspaces/unborn')).status).toBe(404);
    expect((await put('one', '"0"')).status).toBe(412);
    expect((await put('one', String(headers.etag))).status).toBe(200);
    const { etag } = (await put('one', '*')).headers;
    await pair.first.call('DELETE', '/v1/workspaces/one');
    for (const tag of ['*', String(etag), '"3"']) expect((await put('one', tag)).status).toBe(412);
    expect((await pair.second.call('GET', '/v1/workspaces/one')).status).toBe(404);
  });

  it('a caller who may not know of a resource gets 404 before If-Match is checked', async () => {
    const { id } = await createKey(pair.first);
    await putWorkspace(pair.first, 'foreign');
    const options = { permissions: ['keys:write'] as const, workspaceId: 'foreign' };
    const { key: as } = await createManagementKey(pair.first, options);
    const headers = { 'if-match': '"0"' };
    const body = { name: 'x' };
    const answer = await pair.first.call('PATCH', `/v1/keys/${id}`, { as, headers, body });
    expect(answer.status).toBe(404);
  });
});
