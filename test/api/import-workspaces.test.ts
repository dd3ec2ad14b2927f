import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import type { Answer, Instance } from '../support/instance.ts';
import { createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { recordStatements } from '../support/statements.ts';

const hashOf = (key: string, algorithm = 'sha256') => ({
  algorithm,
  value: createHash(algorithm).update(key).digest('hex'),
});

describe('the same key in several workspaces', () => {
  const pair = usePair();
  let count = 0;
  const newWorkspaces = async () => {
    const ids = [`acme-${++count}`, `rival-${count}`] as const;
    for (const id of ids) await putWorkspace(pair.first, id);
    return ids;
  };
  const importInto = (workspaceId: string, ...keys: string[]): Promise<Answer> => {
    const items = keys.map((key) => ({ name: key, hash: hashOf(key) }));
    return pair.first.call('POST', '/v1/keys/import', { body: { workspaceId, keys: items } });
  };
  const importOne = async (workspaceId: string, key: string): Promise<string> =>
    (await importInto(workspaceId, key)).body.results[0].keyId;
  const statusIn = async (workspaceId: string, key: string) =>
    (await importInto(workspaceId, key)).body.results[0].status;
  const ask = async (instance: Instance, key: string, workspaceId?: string) => {
    const { body } = await instance.call('POST', '/v1/verify', { body: { key, workspaceId } });
    return { code: body.code, keyId: body.keyId };
  };
  /** Asks both instances twice, so that what they have cached answers too. */
  const expectEverywhere = async (key: string, workspaceId: string | undefined, answer: object) => {
    for (const instance of [pair.first, pair.second, pair.first, pair.second]) {
      expect(await ask(instance, key, workspaceId)).toEqual(answer);
    }
  };
  const valid = (keyId: string) => ({ code: 'VALID', keyId });
  const notFound = { code: 'NOT_FOUND', keyId: null };
  /** Uses a key until its digest has been replaced by an argon2id hash, which its caches notice. */
  const rehash = async (keyId: string, key: string, workspaceId: string) => {
    const client = await connect(pair.databaseUrl);
    const query = "select from secrets where key_id = $1 and hash like '$argon2id$%'";
    while ((await client.query(query, [keyId])).rowCount === 0) {
      expect(await ask(pair.first, key, workspaceId)).toEqual(valid(keyId));
    }
  };
  const remove = (id: string) => pair.first.call('DELETE', `/v1/keys/${id}`);

  it('a digest that one workspace has imported is free in every other, and each has its own key', async () => {
    const [acme, rival] = await newWorkspaces();
    const key = `shared ${acme}`;
    const mine = await importOne(acme, key);
    const other = await importInto(rival, key, key);
    expect(other.body).toMatchObject({ created: 1, duplicates: 1 });
    const theirs = other.body.results[0].keyId;
    await expectEverywhere(key, acme, valid(mine));
    await expectEverywhere(key, rival, valid(theirs));
    await pair.first.call('POST', `/v1/keys/${mine}/revoke`);
    await expectEverywhere(key, acme, { code: 'REVOKED', keyId: mine });
    await expectEverywhere(key, rival, valid(theirs));
    expect(await statusIn(acme, key)).toBe('duplicate');
  });

  it('the key that was imported first answers a caller that names no workspace, no matter who imports its digest later', async () => {
    const [acme, rival] = await newWorkspaces();
    const key = `first ${acme}`;
    await expectEverywhere(key, undefined, notFound);
    const first = await importOne(rival, key);
    await expectEverywhere(key, undefined, valid(first));
    const second = await importOne(acme, key);
    await expectEverywhere(key, undefined, valid(first));
    await remove(first);
    await expectEverywhere(key, undefined, valid(second));
    const again = await importOne(rival, key);
    await expectEverywhere(key, undefined, valid(second));
    await expectEverywhere(key, rival, valid(again));
    await remove(second);
    await expectEverywhere(key, undefined, valid(again));
    await remove(again);
    await expectEverywhere(key, undefined, notFound);
  });

  it('a digest of another algorithm takes no string over from the workspace that imported it first', async () => {
    const [acme, rival] = await newWorkspaces();
    const key = `algorithms ${acme}`;
    const keys = [{ name: 'first', hash: hashOf(key, 'sha512') }];
    const { body } = await pair.first.call('POST', '/v1/keys/import', {
      body: { workspaceId: acme, keys },
    });
    const [{ keyId }] = body.results;
    await expectEverywhere(key, undefined, valid(keyId));
    await importOne(rival, key);
    await expectEverywhere(key, undefined, valid(keyId));
  });

  it('a bound caller is answered by the keys of its own workspace, in whatever order they were imported', async () => {
    const [acme, rival] = await newWorkspaces();
    const key = `bound ${acme}`;
    await importOne(rival, key);
    const permissions = ['keys:verify', 'keys:read'] as const;
    const { key: as } = await createManagementKey(pair.first, { permissions, workspaceId: acme });
    const call = async (url: string, body: object) =>
      (await pair.second.call('POST', url, { body, as })).body;
    expect(await call('/v1/verify', { key })).toMatchObject(notFound);
    expect(await call('/v1/keys/find', { key })).toMatchObject({ found: false });
    const own = await importOne(acme, key);
    expect(await call('/v1/verify', { key })).toMatchObject(valid(own));
    const batch = await call('/v1/verify/batch', { requests: [{ key }, { key: 'x' }] });
    expect(batch.results.map(({ keyId }: { keyId: string }) => keyId)).toEqual([own, null]);
    expect(await call('/v1/keys/find', { key })).toMatchObject({ found: true, key: { id: own } });
    const gateway = { 'x-keyward-authorization': `Bearer ${as}`, 'x-api-key': key };
    const authorized = await pair.second.call('GET', '/v1/authorize', {
      headers: gateway,
      as: null,
    });
    expect(authorized.headers['x-keyward-key-id']).toBe(own);
  });

  it('find names the key that was imported first, or that of the workspace that is asked about', async () => {
    const [acme, rival] = await newWorkspaces();
    const key = `found ${acme}`;
    const ids = { [acme]: await importOne(acme, key), [rival]: await importOne(rival, key) };
    const find = async (workspaceId?: string) => {
      const { body } = await pair.second.call('POST', '/v1/keys/find', {
        body: { key, workspaceId },
      });
      return [body.key?.id, body.secret?.status, body.secret?.imported];
    };
    expect(await find()).toEqual([ids[acme], 'current', true]);
    expect(await find(rival)).toEqual([ids[rival], 'current', true]);
    await remove(ids[acme] ?? '');
    expect(await find()).toEqual([ids[rival], 'current', true]);
    expect(await find(acme)).toEqual([ids[acme], 'ended', true]);
  });

  it('whoami and the revocation by its holder act on the key that was imported first', async () => {
    const [acme, rival] = await newWorkspaces();
    const as = `holder-${acme}`;
    const first = await importOne(acme, as);
    const second = await importOne(rival, as);
    expect((await pair.second.call('GET', '/v1/whoami', { as })).body.id).toBe(first);
    expect((await pair.second.call('POST', '/v1/whoami/revoke', { as })).status).toBe(204);
    await expectEverywhere(as, undefined, { code: 'REVOKED', keyId: first });
    await expectEverywhere(as, rival, valid(second));
  });

  it('a deleted key frees its digest for a new key, and both keep the history of their own uses', async () => {
    const [acme] = await newWorkspaces();
    const key = `again ${acme}`;
    const ids: string[] = [];
    for (let uses = 1; uses <= 3; uses++) {
      const id = await importOne(acme, key);
      ids.push(id);
      for (let i = 0; i < uses; i++) await ask(pair.first, key, acme);
      await expectEverywhere(key, acme, valid(id));
      await remove(id);
      await expectEverywhere(key, acme, notFound);
    }
    expect(new Set(ids).size).toBe(3);
    await pair.first.flush();
    await pair.second.flush();
    const totals = await Promise.all(
      ids.map(async (id) => {
        const { body } = await pair.first.call('GET', `/v1/keys/${id}/usage`);
        return [body.total, body.bySecret.map(({ total }: { total: number }) => total)];
      }),
    );
    expect(totals).toEqual([
      [9, [9]],
      [10, [10]],
      [11, [11]],
    ]);
  });

  it('a workspace that was deleted and made again imports its digests again, and revives no former key', async () => {
    const [acme] = await newWorkspaces();
    const key = `generation ${acme}`;
    const former = await importOne(acme, key);
    await expectEverywhere(key, undefined, valid(former));
    await pair.first.call('DELETE', `/v1/workspaces/${acme}`);
    await expectEverywhere(key, undefined, notFound);
    await putWorkspace(pair.first, acme);
    await expectEverywhere(key, acme, notFound);
    const own = await importOne(acme, key);
    expect(own).not.toBe(former);
    await expectEverywhere(key, acme, valid(own));
    await expectEverywhere(key, undefined, valid(own));
  });

  it('the deletion of a workspace lets the next one answer a caller that names none', async () => {
    const [acme, rival] = await newWorkspaces();
    const key = `deleted workspace ${acme}`;
    const first = await importOne(acme, key);
    const second = await importOne(rival, key);
    await expectEverywhere(key, undefined, valid(first));
    await pair.first.call('POST', `/v1/workspaces/${acme}/suspend`);
    expect((await ask(pair.second, key)).keyId).toBe(first);
    await pair.first.call('DELETE', `/v1/workspaces/${acme}`);
    await expectEverywhere(key, undefined, valid(second));
  });

  it('what SQL does to any key of a digest is noticed at once by callers that name no workspace', async () => {
    const [acme, rival] = await newWorkspaces();
    const key = `by sql ${acme}`;
    const first = await importOne(acme, key);
    const second = await importOne(rival, key);
    await remove(first);
    await expectEverywhere(key, undefined, valid(second));
    const client = await connect(pair.databaseUrl);
    const back = 'update keys set deleted_at = null, revoked_at = null where id = $1';
    await client.query(back, [first]);
    await expectEverywhere(key, undefined, valid(first));
    await client.query('update secrets set created_at = now() where key_id = $1', [first]);
    await expectEverywhere(key, undefined, valid(second));
    await client.query(
      "update secrets set created_at = '2020-01-01' where key_id = $1 or workspace_id = 'default'",
      [first],
    );
    await expectEverywhere(key, undefined, valid(first));
    await client.query('delete from secrets where key_id = $1', [first]);
    await expectEverywhere(key, undefined, valid(second));
  });

  it('a duplicate says nothing of other workspaces: it means a key of the own one, be it revoked', async () => {
    const [acme, rival] = await newWorkspaces();
    const key = `duplicate ${acme}`;
    await importOne(acme, key);
    expect(await statusIn(rival, key)).toBe('created');
    expect(await statusIn(rival, key)).toBe('duplicate');
    const unknown = await importInto(rival, `${key} never`);
    const known = await importInto(acme, `${key} never`);
    expect([unknown.body.created, known.body.created]).toEqual([1, 1]);
  });

  it('the first string of a digest is found with one load, and from then on without any', async () => {
    const [acme, rival] = await newWorkspaces();
    const key = `loads ${acme}`;
    await rehash(await importOne(acme, key), key, acme);
    await rehash(await importOne(rival, key), key, rival);
    const other = [{ name: 'sha512', hash: hashOf(`other ${acme}`, 'sha512') }];
    await pair.first.call('POST', '/v1/keys/import', { body: { keys: other } });
    await ask(pair.second, 'warm');
    const statements = recordStatements(pair.second.service.internals.database);
    const loads = () => statements.filter((name) => name === 'load_credentials').length;
    for (const [workspaceId, expected] of [
      [undefined, 1],
      [undefined, 1],
      [rival, 2],
      [rival, 2],
      [undefined, 2],
    ] as const) {
      await ask(pair.second, key, workspaceId);
      expect(loads()).toBe(expected);
    }
  });
});
