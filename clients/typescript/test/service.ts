import { dataOf, Keyward, type KeywardOptions } from '@keyward/client';

const { KEYWARD_TEST_URL: url = '', KEYWARD_TEST_ROOT_KEY: rootKey = '' } = process.env;

/** The Keyward of test/global-setup.ts. */
export const service = { url, rootKey, root: new Keyward({ url, managementKey: rootKey }) };

/** A new key with its string. */
export async function makeKey(
  { api }: Keyward,
  options: {
    ownerId?: string;
    scopes?: string[];
    resources?: string[];
    allowedIps?: string[];
    credits?: { remaining: number };
    rateLimits?: { name: string; limit: number; windowSeconds: number }[];
  } = {},
) {
  const { id, key } = await dataOf(api.POST('/v1/keys', { body: { name: 'a key', ...options } }));
  if (key === null) throw new Error('a new key has its string');
  return { id, key };
}

/** A management key that may only verify. */
export async function makeVerifier({ api }: Keyward, more: { maxRequestsPerSecond?: number } = {}) {
  const body = { name: 'orders-api', permissions: ['keys:verify' as const], workspaceId: null };
  const { key } = await dataOf(api.POST('/v1/management-keys', { body: { ...body, ...more } }));
  if (key === null) throw new Error('a new management key has its string');
  return key;
}

/** What is left of a key's credits, in the database. */
export async function creditsOf({ api }: Keyward, id: string): Promise<number | undefined> {
  const key = await dataOf(api.GET('/v1/keys/{id}', { params: { path: { id } } }));
  return key.credits?.remaining;
}

export function at(id: string) {
  return { params: { path: { id } } };
}

/** A client with the root key, of the service or of a proxy before it. */
export function clientOf(target: string, more: Partial<KeywardOptions> = {}): Keyward {
  return new Keyward({ url: target, managementKey: rootKey, timeoutMs: 10_000, ...more });
}

/** The string with another last character, so that its checksum is wrong. */
export function forgedFrom(key: string): string {
  return key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A');
}
