import { describe, expect, it } from 'vitest';
import type { Answer, CallOptions } from '../support/instance.ts';
import { holdRows, untilWaiting } from '../support/locks.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey, verdict } from '../support/sql-keys.ts';

describe('Idempotency-Key', () => {
  const pair = usePair();
  let made = 0;
  const fresh = () => `idem-${++made}`;
  const post = (url: string, idempotencyKey: string, body: object, more: CallOptions = {}) =>
    pair.first.call('POST', url, {
      ...more,
      body,
      headers: { 'idempotency-key': idempotencyKey, ...more.headers },
    });
  const again = (url: string, idempotencyKey: string, body: object) =>
    pair.second.call('POST', url, { body, headers: { 'idempotency-key': idempotencyKey } });
  const code = ({ status, body }: Answer) => `${status} ${body?.code}`;
  const expectReplay = (replay: Answer, first: Answer) => {
    expect(replay.status).toBe(first.status);
    for (const name of ['etag', 'location', 'cache-control']) {
      expect(replay.headers[name]).toBe(first.headers[name]);
    }
    expect(replay.headers['idempotent-replayed']).toBe('true');
    const { body } = first;
    expect(replay.body).toEqual('key' in body ? { ...body, key: null } : body);
  };

  it('a repeated call answers what the first call answered, with `key: null`, and does nothing', async () => {
    const name = fresh();
    const first = await post('/v1/keys', name, { name });
    expect(first.status).toBe(201);
    expectReplay(await again('/v1/keys', name, { name }), first);
    const { body } = await pair.first.call('GET', `/v1/keys?search=${name}`);
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([first.body.id]);
    expect(await auditOf(pair.first, first.body.id)).toHaveLength(1);
  });

  it('a lost answer can be replayed, and rotating the key at once gives a usable string', async () => {
    const name = fresh();
    await post('/v1/keys', name, { name });
    const { body } = await again('/v1/keys', name, { name });
    const rotated = await post(`/v1/keys/${body.id}/rotate`, fresh(), {
      graceSeconds: 0,
      supersede: true,
    });
    expect(await verdict(pair.second, rotated.body.key)).toBe('VALID');
  });

  it('an Idempotency-Key is the same quoted and unquoted', async () => {
    const name = fresh();
    const first = await post('/v1/keys', `"${name}"`, { name });
    expectReplay(await again('/v1/keys', name, { name }), first);
  });

  it('an Idempotency-Key with another payload or another call is refused with 422', async () => {
    const name = fresh();
    const { body } = await post('/v1/keys', name, { name });
    const other = await again('/v1/keys', name, { name, ownerId: 'other' });
    const elsewhere = await again(`/v1/keys/${body.id}/revoke`, name, {});
    expect([other, elsewhere].map(code)).toEqual(Array(2).fill('422 IDEMPOTENCY_MISMATCH'));
    expect(await verdict(pair.second, body.key)).toBe('VALID');
  });

  it('an Idempotency-Key with the same payload at another URL is refused: 422, and nothing happens there', async () => {
    const [one, other] = [await createKey(pair.first), await createKey(pair.first)];
    const name = fresh();
    const body = { graceSeconds: 0 };
    expect((await post(`/v1/keys/${one.id}/rotate`, name, body)).status).toBe(200);
    const manager = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const elsewhere = [`/v1/keys/${other.id}/rotate`, `/v1/management-keys/${manager.id}/rotate`];
    for (const url of elsewhere) {
      expect(code(await again(url, name, body))).toBe('422 IDEMPOTENCY_MISMATCH');
    }
    await putWorkspace(pair.first, 'still');
    const pause = fresh();
    expect((await post('/v1/workspaces/still/suspend', pause, {})).status).toBe(200);
    const resumed = await again('/v1/workspaces/still/resume', pause, {});
    expect(code(resumed)).toBe('422 IDEMPOTENCY_MISMATCH');
    expect(await verdict(pair.second, other.key)).toBe('VALID');
    expect((await pair.second.call('GET', '/v1/keys', { as: manager.key })).status).toBe(200);
  });

  it('an Idempotency-Key belongs to its caller: another caller may use the same', async () => {
    const name = fresh();
    const first = await post('/v1/keys', name, { name });
    const { key: as } = await createManagementKey(pair.first, { permissions: ['keys:write'] });
    const second = await post('/v1/keys', name, { name }, { as });
    expect(second.status).toBe(201);
    expect(second.body.id).not.toBe(first.body.id);
    expect(second.body.key).toEqual(expect.any(String));
  });

  it('an Idempotency-Key whose call is in progress is 409 for its caller, and free for any other', async () => {
    await putWorkspace(pair.first, 'held');
    const name = fresh();
    const held = `select from audit_heads where workspace_id = 'held'`;
    const release = await holdRows(pair.databaseUrl, held);
    const body = { name, workspaceId: 'held' };
    const first = post('/v1/keys', name, body);
    await untilWaiting(pair.databaseUrl, 1);
    expect(code(await again('/v1/keys', name, body))).toBe('409 IDEMPOTENCY_IN_FLIGHT');
    const { key: as } = await createManagementKey(pair.first, { permissions: ['keys:write'] });
    expect((await post('/v1/keys', name, { name }, { as })).status).toBe(201);
    await release();
    const answer = await first;
    expectReplay(await again('/v1/keys', name, body), answer);
  });

  it('an Idempotency-Key of a call that was refused is free again', async () => {
    await putWorkspace(pair.first, 'full', { maxActiveKeys: 0 });
    const name = fresh();
    const body = { name, workspaceId: 'full' };
    expect((await post('/v1/keys', name, { ...body, nmae: 'typo' })).status).toBe(400);
    expect(code(await post('/v1/keys', name, body))).toBe('409 KEY_LIMIT_REACHED');
    await putWorkspace(pair.first, 'full');
    expect((await post('/v1/keys', name, body)).status).toBe(201);
  });

  it('a rotation that is sent twice rotates once, and the new string stays valid', async () => {
    const { id } = await createKey(pair.first);
    const name = fresh();
    const url = `/v1/keys/${id}/rotate`;
    const body = { graceSeconds: 0, supersede: true };
    const first = await post(url, name, body);
    expectReplay(await again(url, name, body), first);
    expect(await verdict(pair.second, first.body.key)).toBe('VALID');
  });

  it('a rotation that is sent twice is replayed even if its key has been deleted since', async () => {
    const { id } = await createKey(pair.first);
    const name = fresh();
    const url = `/v1/keys/${id}/rotate`;
    const first = await post(url, name, { graceSeconds: 0 });
    await pair.first.call('DELETE', `/v1/keys/${id}`);
    expectReplay(await again(url, name, { graceSeconds: 0 }), first);
  });

  it('an Idempotency-Key works for every other POST, too', async () => {
    await putWorkspace(pair.first, 'posts');
    const { id } = await createKey(pair.first, { credits: { remaining: 5 } });
    const { id: managed } = await createManagementKey(pair.first, { permissions: ['keys:read'] });
    const manager = { name: 'new', permissions: ['keys:read'] };
    const calls: [string, object][] = [
      ['/v1/workspaces/posts/suspend', {}],
      ['/v1/workspaces/posts/resume', {}],
      ['/v1/management-keys', manager],
      [`/v1/management-keys/${managed}/rotate`, { graceSeconds: 60 }],
      [`/v1/management-keys/${managed}/revoke`, {}],
      [`/v1/keys/${id}/credits`, { operation: 'add', amount: 3 }],
      ['/v1/keys/bulk-revoke', { ids: [id] }],
      [`/v1/keys/${id}/revoke`, {}],
    ];
    for (const [url, body] of calls) {
      const name = fresh();
      const first = await post(url, name, body);
      expect(first.status).toBeLessThan(300);
      expectReplay(await again(url, name, body), first);
    }
  });

  it('an Idempotency-Key has 1 to 128 visible characters and contains no key, and a refusal says which of both it is', async () => {
    const { key } = await createKey(pair.first);
    for (const name of ['""', 'with blank', 'x'.repeat(129), key]) {
      const answer = await post('/v1/keys', name, { name: 'refused' });
      expect(code(answer)).toBe('400 INVALID_REQUEST');
      expect(answer.body.errors[0].pointer).toBe('/headers/idempotency-key');
      const why = name === key ? 'must not contain an API key' : 'must be 1 to 128';
      expect(answer.body.errors[0].detail).toContain(why);
    }
    expect((await post('/v1/keys', 'x'.repeat(128), { name: 'taken' })).status).toBe(201);
  });
});
