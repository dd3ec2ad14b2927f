import { randomBytes } from 'node:crypto';
import type { paths } from '../../openapi/types.d.ts';
import { clientOf, type KeywardClient } from './client.ts';
import { createTestDatabase } from './database.ts';
import { startProgram } from './program.ts';

export const ROOT_KEY = 'root-key-of-the-feature-table-0123456789';

/** A started program that all tests of a file share, called with its root key. */
export interface SharedProgram {
  url: string;
  root: KeywardClient;
  databaseUrl: string;
  end: () => Promise<void>;
}

export async function startSharedProgram(
  more: Record<string, string> = {},
): Promise<SharedProgram> {
  const database = await createTestDatabase();
  const ends: (() => Promise<void>)[] = [];
  const settings = { DATABASE_URL: database.url, KEYWARD_ROOT_KEY: ROOT_KEY, ...more };
  const { url } = await startProgram(settings, { onCleanup: (end) => ends.push(end) });
  const end = async () => {
    for (const stop of ends) await stop();
    await database.drop();
  };
  return { url, root: clientOf(url, ROOT_KEY), databaseUrl: database.url, end };
}

/** The data of a call that must succeed. */
export async function ok<Data>(
  call: Promise<{ data?: Data; error?: unknown }>,
): Promise<NonNullable<Data>> {
  const { data, error } = await call;
  if (data === undefined || data === null) throw new Error(`refused: ${JSON.stringify(error)}`);
  return data;
}

/** The status and code of a call that must be refused. */
export async function refusal(
  call: Promise<{ error?: { code: string } | undefined; response: Response }>,
): Promise<string> {
  const { error, response } = await call;
  return `${response.status} ${error?.code}`;
}

export function at(id: string) {
  return { params: { path: { id } } };
}

type NewKey = paths['/v1/keys']['post']['requestBody']['content']['application/json'];

/** A new key with its string. */
export async function makeKey(root: KeywardClient, options: Partial<NewKey> = {}) {
  const body = { name: 'a key', ...options };
  const { key, ...resource } = await ok(root.POST('/v1/keys', { body }));
  if (key === null) throw new Error('a new key has its string');
  return { ...resource, key };
}

export async function makeWorkspace(root: KeywardClient, body: { maxActiveKeys?: number } = {}) {
  const id = `ws-${randomBytes(4).toString('hex')}`;
  await ok(root.PUT('/v1/workspaces/{id}', { ...at(id), body }));
  return id;
}
