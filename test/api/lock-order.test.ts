import { beforeEach, describe, expect, it } from 'vitest';
import { appendAudit } from '../../src/audit/append.ts';
import { connect } from '../support/database.ts';
import { areFree, holdRows, untilWaiting } from '../support/locks.ts';
import { putWorkspace, usePair } from '../support/pair.ts';
import { createKey, insertKey } from '../support/sql-keys.ts';

const KEY = 'select from keys where id = $1';
const WORKSPACE = 'select from workspaces where id = $1';
const HEAD = 'select from audit_heads where workspace_id = $1';

/**
 * Whatever takes several locks takes them in one order: a workspace before its keys, keys by id,
 * audit heads by workspace. While the first is held by someone else, the later ones must be free.
 */
describe('the order of locks', () => {
  const pair = usePair();
  let count = 0;
  let workspaceId: string;
  let low: string;
  let high: string;

  /** Two keys of one owner. The one with the higher id lies first on the disk. */
  beforeEach(async () => {
    workspaceId = `locks-${++count}`;
    await putWorkspace(pair.first, workspaceId);
    const sql = await connect(pair.databaseUrl);
    const [first, second] = ['z', 'a'].map((letter) => `${letter}${count}`.padEnd(22, letter));
    high = `key_${first}`;
    low = `key_${second}`;
    for (const id of [high, low]) await insertKey(sql, { id, ref: id, workspaceId });
    await sql.query(`update keys set owner_id = 'both' where id = $1`, [high]);
    await sql.query(`update keys set owner_id = 'both' where id = $1`, [low]);
  });

  /** Starts the call, and looks at the later row once the call waits for the earlier one. */
  async function expectFreeMeanwhile(
    call: () => Promise<{ status: number } | undefined>,
    earlier: [select: string, id: string],
    later: [select: string, id: string],
  ): Promise<void> {
    const release = await holdRows(pair.databaseUrl, earlier[0], [earlier[1]]);
    const answer = call();
    await untilWaiting(pair.databaseUrl, 1);
    const isFree = await areFree(await connect(pair.databaseUrl), later[0], [later[1]]);
    await release();
    expect((await answer)?.status ?? 200).toBeLessThan(300);
    expect(isFree).toBe(true);
  }

  it('a bulk revocation by owner locks the keys in the order of their ids', async () => {
    const body = { workspaceId, ownerId: 'both' };
    const bulk = () => pair.first.call('POST', '/v1/keys/bulk-revoke', { body });
    await expectFreeMeanwhile(bulk, [KEY, low], [KEY, high]);
  });

  it('a bulk revocation by id locks the keys in the order of their ids, however they are listed', async () => {
    const body = { workspaceId, ids: [high, low] };
    const bulk = () => pair.first.call('POST', '/v1/keys/bulk-revoke', { body });
    await expectFreeMeanwhile(bulk, [KEY, low], [KEY, high]);
  });

  it('a deletion of a workspace locks the workspace before its keys', async () => {
    const remove = () => pair.first.call('DELETE', `/v1/workspaces/${workspaceId}`);
    await expectFreeMeanwhile(remove, [WORKSPACE, workspaceId], [KEY, low]);
  });

  it('an extension of an expired key locks the workspace before the key', async () => {
    await putWorkspace(pair.first, workspaceId, { maxActiveKeys: 5 });
    const { id } = await createKey(pair.first, { workspaceId, expiresInSeconds: 60 });
    pair.advance(60_000);
    const url = `/v1/keys/${id}?workspaceId=${workspaceId}`;
    const extend = () => pair.first.call('PATCH', url, { body: { expiresInSeconds: 3600 } });
    await expectFreeMeanwhile(extend, [WORKSPACE, workspaceId], [KEY, id]);
  });

  it('a change of a key locks the audit log of its workspace after the key', async () => {
    const { id } = await createKey(pair.first, { workspaceId });
    const body = { workspaceId };
    const revoke = () => pair.first.call('POST', `/v1/keys/${id}/revoke`, { body });
    await expectFreeMeanwhile(revoke, [KEY, id], [HEAD, workspaceId]);
  });

  it('audit logs of several workspaces are locked in the order of the ids by code point', async () => {
    const { orm } = pair.first.service.internals.database;
    const actor = { type: 'system', id: 'test', onBehalfOf: null } as const;
    const origin = { actor, requestId: 'req_1', ip: null };
    const entryOf = (workspace: string) => {
      const target = { type: 'workspace', id: workspace } as const;
      const action = 'workspace.updated' as const;
      return { workspaceId: workspace, action, target, before: {}, after: {} };
    };
    const append = (...workspaces: string[]) =>
      orm
        .transaction((tx) => appendAudit(tx, workspaces.map(entryOf), origin, new Date(), null))
        .then(() => undefined);
    const [upper, lower] = [`B-${count}`, `a-${count}`];
    await append(lower);
    await append(upper);
    await expectFreeMeanwhile(() => append(lower, upper), [HEAD, upper], [HEAD, lower]);
  });
});
