import { describe, expect, it } from 'vitest';
import type { Permission } from '../../src/domain/caller.ts';
import { connect } from '../support/database.ts';
import { ROOT_KEY } from '../support/instance.ts';
import { untilWaiting } from '../support/locks.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';

const MINUTE = 60_000;
const POWER: readonly Permission[] = ['management:read', 'management:write', 'keys:read'];

interface Made {
  id: string;
  key: string;
  expiresAt: string | null;
}

describe('what a management key created', () => {
  const pair = usePair();
  const makeRoot = (more: object = {}) =>
    createManagementKey(pair.first, { permissions: POWER, ...more });
  const post = (url: string, body: object, as = ROOT_KEY) =>
    pair.first.call('POST', `/v1/management-keys${url}`, { body, as });
  const patch = (id: string, body: object, as = ROOT_KEY) =>
    pair.first.call('PATCH', `/v1/management-keys/${id}`, { body, as });
  const createBy = (as: string, more: object = {}) =>
    post('', { name: 'a child', permissions: POWER, workspaceId: null, ...more }, as);
  const childOf = async (as: string, more: object = {}): Promise<Made> =>
    (await createBy(as, more)).body;
  const read = async (id: string) =>
    (await pair.second.call('GET', `/v1/management-keys/${id}`)).body;
  const use = async (as: string) => (await pair.second.call('GET', '/v1/keys', { as })).status;

  it('a management key that is created by one that expires expires with it, and is refused a later expiry', async () => {
    const maker = await makeRoot({ expiresInSeconds: 60 });
    const { expiresAt } = await read(maker.id);
    const child = await childOf(maker.key);
    expect(child.expiresAt).toBe(expiresAt);
    expect((await childOf(maker.key, { expiresAt: null })).expiresAt).toBe(expiresAt);
    const sooner = await childOf(maker.key, { expiresInSeconds: 30 });
    expect(Date.parse(sooner.expiresAt ?? '')).toBeLessThan(Date.parse(expiresAt));
    for (const [field, value] of [
      ['expiresInSeconds', 3600],
      ['expiresAt', '2099-01-01T00:00:00Z'],
    ] as const) {
      const { status, body } = await createBy(maker.key, { [field]: value });
      expect(status).toBe(400);
      expect(body).toMatchObject({
        code: 'INVALID_REQUEST',
        errors: [{ pointer: `/body/${field}` }],
      });
    }
    expect(await use(child.key)).toBe(200);
    pair.advance(MINUTE);
    expect([await use(maker.key), await use(child.key)]).toEqual([401, 401]);
  });

  it('no change extends a management key beyond the expiry of its maker or of the caller, and the root key can extend both', async () => {
    const maker = await makeRoot({ expiresInSeconds: 600 });
    const child = await childOf(maker.key);
    const other = await makeRoot({ expiresInSeconds: 300 });
    for (const [id, as] of [
      [child.id, ROOT_KEY],
      [maker.id, maker.key],
      [other.id, maker.key],
    ] as const) {
      for (const body of [{ expiresAt: null }, { expiresInSeconds: 3600 }]) {
        const { status, body: problem } = await patch(id, body, as);
        expect(status).toBe(400);
        expect(problem.errors).toMatchObject([{ pointer: `/body/${Object.keys(body)[0]}` }]);
      }
    }
    expect((await patch(other.id, { expiresInSeconds: 400 }, maker.key)).status).toBe(200);
    expect((await patch(maker.id, { expiresAt: null })).status).toBe(200);
    expect((await patch(child.id, { expiresAt: null })).status).toBe(200);
  });

  it('a shortened expiry and a lost permission reach everything that the key created, at once and on the record', async () => {
    const maker = await makeRoot();
    const child = await childOf(maker.key);
    const grandchild = await childOf(child.key);
    expect(await use(grandchild.key)).toBe(200);
    const answer = await patch(maker.id, {
      permissions: ['management:read', 'management:write'],
      expiresInSeconds: 60,
    });
    expect(answer.status).toBe(200);
    expect([await use(child.key), await use(grandchild.key)]).toEqual([403, 403]);
    for (const { id } of [child, grandchild]) {
      const { permissions, expiresAt } = answer.body;
      expect(await read(id)).toMatchObject({ permissions, expiresAt });
      const [entry] = await auditOf(pair.first, id);
      expect(entry).toMatchObject({ action: 'management_key.updated', after: { permissions } });
    }
  });

  it('a longer expiry of a management key changes nothing of what it created', async () => {
    const maker = await makeRoot({ expiresInSeconds: 60 });
    const child = await childOf(maker.key);
    await patch(maker.id, { expiresAt: null });
    expect((await read(child.id)).expiresAt).toBe(child.expiresAt);
  });

  it('revoking a management key revokes what it created, at any depth, and says which', async () => {
    const maker = await makeRoot();
    const child = await childOf(maker.key);
    const grandchild = await childOf(child.key);
    const unrelated = await makeRoot();
    for (const { key } of [child, grandchild]) expect(await use(key)).toBe(200);
    const url = `/v1/management-keys?createdBy=${maker.id}`;
    const shown = await pair.second.call('GET', url);
    const ids = [grandchild.id, child.id];
    expect(shown.body.data.map(({ id }: Made) => id)).toEqual(ids);
    const { status, body } = await post(`/${maker.id}/revoke`, { reason: 'leaked' });
    expect({ status, alsoRevoked: body.alsoRevoked.toSorted() }).toEqual({
      status: 200,
      alsoRevoked: ids.toSorted(),
    });
    const keys = [maker, child, grandchild, unrelated];
    expect(await Promise.all(keys.map(({ key }) => use(key)))).toEqual([401, 401, 401, 200]);
    const [entry] = await auditOf(pair.first, grandchild.id);
    expect(entry).toMatchObject({
      action: 'management_key.revoked',
      after: { reason: 'leaked', revokedWith: maker.id },
    });
  });

  it('a management key that is revoked alone leaves what it created, which a repeated call takes along', async () => {
    const maker = await makeRoot();
    const child = await childOf(maker.key);
    const alone = await post(`/${maker.id}/revoke`, { includeCreated: false });
    expect(alone.body).toMatchObject({ status: 'revoked', alsoRevoked: [] });
    expect([await use(maker.key), await use(child.key)]).toEqual([401, 200]);
    const again = await post(`/${maker.id}/revoke`, {});
    expect(again.body.alsoRevoked).toEqual([child.id]);
    expect(await use(child.key)).toBe(401);
    expect((await post(`/${maker.id}/revoke`, {})).body.alsoRevoked).toEqual([]);
  });

  it('a management key that its holder revokes takes along what it created', async () => {
    const maker = await makeRoot();
    const child = await childOf(maker.key);
    expect((await pair.first.call('POST', '/v1/whoami/revoke', { as: maker.key })).status).toBe(
      204,
    );
    expect(await use(child.key)).toBe(401);
  });

  it('a management key may revoke its own maker, and ends with it', async () => {
    const maker = await makeRoot();
    const child = await childOf(maker.key);
    const { status, body } = await post(`/${maker.id}/revoke`, {}, child.key);
    expect([status, body.alsoRevoked]).toEqual([200, [child.id]]);
    expect([await use(maker.key), await use(child.key)]).toEqual([401, 401]);
  });

  const rotate = (id: string, as = ROOT_KEY, graceSeconds = 60) =>
    post(`/${id}/rotate`, { graceSeconds, supersede: true }, as);

  it('no management key rotates one that expires later than itself', async () => {
    const brief = await makeRoot({ expiresInSeconds: 600 });
    for (const more of [{}, { expiresInSeconds: 900 }]) {
      const other = await makeRoot(more);
      expect((await rotate(other.id, brief.key)).status).toBe(403);
      expect((await read(other.id)).retiringUntil).toBeNull();
    }
    for (const { id } of [brief, await childOf(brief.key)]) {
      expect((await rotate(id, brief.key)).status).toBe(200);
    }
  });

  it('a management key that another one rotated ends with that one too, until the root key rotates it without grace', async () => {
    const [thief, first, second] = [await makeRoot(), await makeRoot(), await makeRoot()];
    for (const { id } of [first, second]) {
      const { body } = await rotate(id, thief.key);
      expect(body.rotatedBy).toEqual([thief.id]);
    }
    const graceful = await rotate(second.id, ROOT_KEY, 60);
    expect(graceful.body.rotatedBy).toEqual([thief.id]);
    const again = await rotate(second.id, ROOT_KEY, 0);
    expect(again.body.rotatedBy).toEqual([]);
    const { body } = await post(`/${thief.id}/revoke`, {});
    expect(body.alsoRevoked).toEqual([first.id]);
    expect([await use(first.key), await use(again.body.key)]).toEqual([401, 200]);
  });

  it('no rotation by a key itself or by what it made hides it from who rotated it before', async () => {
    const [thief, other] = [await makeRoot(), await makeRoot()];
    const { key: stolen } = (await rotate(other.id, thief.key)).body;
    const child = await childOf(stolen);
    for (const as of [stolen, child.key]) {
      expect((await rotate(other.id, as, 0)).body.rotatedBy).toContain(thief.id);
    }
    const { body } = await post(`/${thief.id}/revoke`, {});
    expect(body.alsoRevoked.toSorted()).toEqual([other.id, child.id].toSorted());
  });

  it('management keys that rotate each other at the same moment do not deadlock', async () => {
    const [one, other] = [await makeRoot(), await makeRoot()];
    const answers = await Promise.all([
      rotate(one.id, other.key),
      rotate(other.id, one.key),
      rotate(one.id, other.key),
      rotate(other.id, one.key),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const { body } = await post(`/${one.id}/revoke`, {});
    expect(body.alsoRevoked).toEqual([other.id]);
    expect([body.rotatedBy, (await read(other.id)).rotatedBy]).toEqual([[other.id], [one.id]]);
  });

  it('no management key is created by one that is revoked, weakened or shortened meanwhile', async () => {
    const [revoked, weakened, shortened] = [await makeRoot(), await makeRoot(), await makeRoot()];
    const other = await connect(pair.databaseUrl);
    await other.query('begin');
    const sql = 'update management_keys set';
    await other.query(`${sql} revoked_at = now() where id = $1`, [revoked.id]);
    await other.query(`${sql} permissions = '{management:write}' where id = $1`, [weakened.id]);
    await other.query(`${sql} expires_at = now() + interval '1 h' where id = $1`, [shortened.id]);
    const calls = [revoked, weakened, shortened].map(({ key }) => createBy(key));
    await untilWaiting(pair.databaseUrl, 3);
    await other.query('commit');
    await other.end();
    const [first, second, third] = await Promise.all(calls);
    expect([first?.status, second?.status, third?.status]).toEqual([401, 403, 201]);
    expect(third?.body.expiresAt).toBe((await read(shortened.id)).expiresAt);
  });

  it('a revocation finds what is created while it waits', async () => {
    const maker = await makeRoot();
    const gate = await connect(pair.databaseUrl);
    await gate.query('begin');
    // As a creation that has not committed: it shares the lock on its maker.
    await gate.query('select from management_keys where id = $1 for share', [maker.id]);
    const revocation = post(`/${maker.id}/revoke`, {});
    await untilWaiting(pair.databaseUrl, 1);
    const copy = `insert into management_keys (id, workspace_id, name, permissions, created_at, created_by, updated_at)
      select 'mk_0000000000000000000000', workspace_id, 'late', permissions, now(),
             jsonb_build_object('type', 'management_key', 'id', id, 'onBehalfOf', null), now()
        from management_keys where id = $1`;
    await gate.query(copy, [maker.id]);
    await gate.query('commit');
    await gate.end();
    expect((await revocation).body.alsoRevoked).toEqual(['mk_0000000000000000000000']);
  });

  it('what the root key created is bound by no other management key', async () => {
    const before = await makeRoot({ expiresInSeconds: 60 });
    expect((await patch(before.id, { expiresAt: null })).body.expiresAt).toBeNull();
  });

  it('a bound caller lists what a key created in its own workspace alone', async () => {
    await putWorkspace(pair.first, 'acme');
    const maker = await makeRoot();
    const inside = await childOf(maker.key, { workspaceId: 'acme' });
    const outside = await childOf(maker.key);
    const list = (as: string) =>
      pair.second.call('GET', `/v1/management-keys?createdBy=${maker.id}`, { as });
    const ids = async (as: string) => (await list(as)).body.data.map(({ id }: Made) => id);
    expect(await ids(inside.key)).toEqual([inside.id]);
    expect(await ids(ROOT_KEY)).toEqual([outside.id, inside.id]);
  });
});
