import type pg from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../support/database.ts';
import { auditOf, createManagementKey, putWorkspace, usePair } from '../support/pair.ts';
import { createKey } from '../support/sql-keys.ts';

const BOB = { 'keyward-actor': 'user:bob' };
const EVE = { 'keyward-actor': 'user:eve' };

/** What is taken out of every list is still there for who looks into the database. */
describe('the end of a key', () => {
  const pair = usePair();
  let sql: pg.Client;

  beforeEach(async () => {
    sql = await connect(pair.databaseUrl);
  });

  const endOf = async (id: string) => {
    const { rows } = await sql.query(
      `select revoked_at as at, revoked_by ->> 'onBehalfOf' as by, revoke_reason as why,
              deleted_at as deleted from keys where id = $1`,
      [id],
    );
    return rows[0];
  };
  const revoke = (id: string, workspaceId: string) =>
    pair.first.call('POST', `/v1/keys/${id}/revoke`, {
      body: { workspaceId, reason: 'leaked' },
      headers: BOB,
    });
  const remove = async (path: string) => {
    pair.advance(60_000);
    const { status } = await pair.first.call('DELETE', path, { headers: EVE });
    expect(status).toBe(204);
  };

  it('deleting a revoked key keeps who revoked it, when and why', async () => {
    const { id } = await createKey(pair.first);
    await revoke(id, 'default');
    const before = await endOf(id);
    await remove(`/v1/keys/${id}`);
    expect(before).toMatchObject({ by: 'user:bob', why: 'leaked', deleted: null });
    expect(await endOf(id)).toEqual({ ...before, deleted: expect.any(Date) });
    const [deleted] = await auditOf(pair.first, id);
    expect(deleted).toMatchObject({ action: 'key.deleted', actor: { onBehalfOf: 'user:eve' } });
    expect(deleted.after).not.toHaveProperty('revokedAt');
  });

  it('deleting a key that was not revoked records who deleted it as who revoked it', async () => {
    const { id } = await createKey(pair.first);
    await remove(`/v1/keys/${id}`);
    const { at, by, deleted } = await endOf(id);
    expect({ at, by }).toEqual({ at: deleted, by: 'user:eve' });
  });

  it('deleting a workspace keeps who revoked or deleted a key of it before', async () => {
    await putWorkspace(pair.first, 'past');
    const own = { workspaceId: 'past' };
    const [live, revoked, deleted] = [
      await createKey(pair.first, own),
      await createKey(pair.first, own),
      await createKey(pair.first, own),
    ];
    const bystander = await createKey(pair.first);
    await revoke(revoked.id, 'past');
    await revoke(deleted.id, 'past');
    await remove(`/v1/keys/${deleted.id}?workspaceId=past`);
    const [before, beforeDeleted] = [await endOf(revoked.id), await endOf(deleted.id)];
    await remove('/v1/workspaces/past');
    expect(await endOf(revoked.id)).toEqual({ ...before, deleted: expect.any(Date) });
    expect(await endOf(deleted.id)).toEqual(beforeDeleted);
    const { at, by, deleted: gone } = await endOf(live.id);
    expect({ at, by }).toEqual({ at: gone, by: 'user:eve' });
    expect(await endOf(bystander.id)).toMatchObject({ at: null, deleted: null });
  });

  it('deleting a workspace changes nothing of a management key that was revoked before', async () => {
    await putWorkspace(pair.first, 'managed');
    const options = { permissions: ['keys:read'] as const, workspaceId: 'managed' };
    const [live, revoked] = [
      await createManagementKey(pair.first, options),
      await createManagementKey(pair.first, options),
    ];
    await pair.first.call('POST', `/v1/management-keys/${revoked.id}/revoke`, { headers: BOB });
    const read = async (id: string) => {
      const { body, headers } = await pair.second.call('GET', `/v1/management-keys/${id}`);
      return { ...body, etag: headers.etag };
    };
    const before = await read(revoked.id);
    await remove('/v1/workspaces/managed');
    expect(before.revokedBy.onBehalfOf).toBe('user:bob');
    expect(await read(revoked.id)).toEqual(before);
    expect((await read(live.id)).revokedBy.onBehalfOf).toBe('user:eve');
  });
});
