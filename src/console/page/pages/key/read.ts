import { answerOf, api } from '../../api.ts';
import type { Key } from '../../api-types.ts';

/** A key with the entity tag of the state that is shown, for changes of that state alone. */
export interface ReadKey {
  key: Key;
  etag: string;
}

export async function readKey(id: string): Promise<ReadKey> {
  const call = api.GET('/v1/keys/{id}', { params: { path: { id } } });
  const key = await answerOf(call);
  const { response } = await call;
  return { key, etag: response.headers.get('etag') ?? '*' };
}

export interface UsedFrom {
  ip: string | null;
  userAgent: string | null;
}

/** Where the last use of a key, or of one of its strings, came from; null where that is not kept. */
export function lastUsedFrom(use: Key['usage'] | Key['secrets'][number]): UsedFrom | null {
  const from = 'lastUsedFrom' in use ? use.lastUsedFrom : null;
  if (typeof from !== 'object' || from === null) return null;
  const ip = 'ip' in from && typeof from.ip === 'string' ? from.ip : null;
  const userAgent =
    'userAgent' in from && typeof from.userAgent === 'string' ? from.userAgent : null;
  return ip === null && userAgent === null ? null : { ip, userAgent };
}

export function retiringSecret({ secrets }: Pick<Key, 'secrets'>) {
  return secrets.find(({ status }) => status === 'retiring') ?? null;
}

const DAY_MS = 86_400_000;

/** Whether something still depends on the key, as far as a day tells. */
export function isUsedToday(lastUsedAt: string | null, now = Date.now()): boolean {
  return lastUsedAt !== null && now - Date.parse(lastUsedAt) < DAY_MS;
}
