import type pg from 'pg';
import type { Answer, Instance } from './instance.ts';

export interface SqlKey {
  id: string;
  ref: string;
  name?: string;
  workspaceId?: string;
  hash?: string;
}

/** Inserts a key and its secret by SQL. */
export async function insertKey(client: pg.ClientBase, key: SqlKey): Promise<void> {
  const workspace = key.workspaceId ?? 'default';
  await client.query(
    `insert into keys (id, workspace_id, name, prefix, scopes, metadata, enabled,
                       created_at, created_by, updated_at)
     values ($1, $2, $3, 'ak_live', '{}', '{}', true, now(), '{}', now())`,
    [key.id, workspace, key.name ?? key.id],
  );
  await client.query(
    `insert into secrets (ref, id, key_id, workspace_id, start, hash, status, created_at)
     values ($1, $2, $3, $4, 'ak_live_', $5, 'current', now())`,
    [key.ref, `sec_${key.ref}`, key.id, workspace, key.hash ?? 'none'],
  );
}

export interface CreatedKey {
  id: string;
  key: string;
}

export async function createKey(instance: Instance, more: object = {}): Promise<CreatedKey> {
  const { body } = await instance.call('POST', '/v1/keys', { body: { name: 'a key', ...more } });
  return { id: body.id, key: body.key };
}

export function verify(instance: Instance, key: string): Promise<Answer> {
  return instance.call('POST', '/v1/verify', { body: { key } });
}

/** The verdict on a key. */
export async function verdict(instance: Instance, key: string): Promise<string> {
  return (await verify(instance, key)).body.code;
}
