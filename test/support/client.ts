import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import createClient from 'openapi-fetch';
import type { paths } from '../../openapi/types.d.ts';

/** The client that is generated from openapi.json. */
export type KeywardClient = ReturnType<typeof clientOf>;

export function clientOf(url: string, managementKey: string) {
  const headers = { authorization: `Bearer ${managementKey}` };
  return createClient<paths>({ baseUrl: url, headers });
}

export async function rootClient({ url }: { url: string }, dataDirectory: string) {
  return clientOf(url, await readFile(join(dataDirectory, 'root-key'), 'utf8'));
}

export async function createKey(client: KeywardClient, name: string) {
  const { data, error } = await client.POST('/v1/keys', { body: { name } });
  if (!data?.key) throw new Error(`no key was created: ${error?.detail}`);
  return { id: data.id, key: data.key };
}

export async function verdictOf(client: KeywardClient, key: string) {
  const { data, error } = await client.POST('/v1/verify', { body: { key } });
  if (!data) throw new Error(`no verdict: ${error.detail}`);
  return data.code;
}

export async function usageOf(client: KeywardClient, id: string) {
  const { data, error } = await client.GET('/v1/keys/{id}', { params: { path: { id } } });
  if (!data) throw new Error(`no usage: ${error.detail}`);
  return data.usage;
}
