import { randomUUID } from 'node:crypto';
import type { CallContext } from '../call-context.ts';
import { PERMISSIONS, type Permission, ROOT_CALLER } from '../domain/caller.ts';
import { toIso } from '../domain/time.ts';
import { LIFETIME_MS } from './sessions.ts';

interface NewKey {
  name: string;
  workspaceId: null;
  permissions: Permission[];
  expiresAt: string;
}

export type CreateManagementKey = (
  call: CallContext,
  input: NewKey,
) => Promise<{ body: { key: string | null } }>;

/** A management key for those who read the terminal of the service: it ends with its session. */
export async function createLocalKey(create: CreateManagementKey, now: number): Promise<string> {
  const { body } = await create(
    {
      caller: ROOT_CALLER,
      actor: { type: 'system', id: 'console', onBehalfOf: null },
      requestId: `console_${randomUUID()}`,
      ip: null,
      ifMatch: null,
      mustBeNew: false,
      idempotency: null,
    },
    {
      name: 'Console, by the link of the start',
      workspaceId: null,
      permissions: [...PERMISSIONS],
      expiresAt: toIso(now + LIFETIME_MS),
    },
  );
  if (body.key === null) throw new Error('a new management key is shown once');
  return body.key;
}
