import { setTimeout as pause } from 'node:timers/promises';
import { clientOf, type KeywardClient } from '../support/client.ts';

const KEYS = 20;
const WRONG = 'ak_live_this_is_not_a_key_at_all';

/** What a small installation calls, in rounds; every verdict and call that panels show is among it. */
export async function trafficOf(url: string, rootKey: string): Promise<() => Promise<void>> {
  const root = clientOf(url, rootKey);
  const keys = await Promise.all(Array.from({ length: KEYS }, (_, n) => newKey(root, n)));
  const revoked = await newKey(root, KEYS);
  await root.POST('/v1/keys/{id}/revoke', { params: { path: { id: revoked.id } } });
  let round = 0;
  return async () => {
    round++;
    const { id, key } = keys[round % KEYS] ?? revoked;
    const verify = (presented: string) =>
      root.POST('/v1/verify', { body: { key: presented, requiredScopes: ['orders:read'] } });
    await Promise.all([verify(key), verify(round % 4 === 0 ? unknownLike(key) : key)]);
    if (round % 5 === 0) await verify(WRONG);
    if (round % 7 === 0) await verify(revoked.key);
    if (round % 10 === 0) await batch(root, [key, revoked.key, WRONG]);
    if (round % 6 === 0) await authorize(url, rootKey, key);
    if (round % 25 === 0) await root.GET('/v1/keys/{id}', { params: { path: { id } } });
    if (round % 50 === 0) await root.GET('/v1/keys', { params: { query: { limit: 20 } } });
    if (round % 100 === 0) await newKey(root, round);
    if (round % 200 === 0) await fetch(`${url}/nothing-here`);
  };
}

/** Rounds until the time is over, at a rate that swells and falls. */
export async function sendTraffic(turn: () => Promise<void>, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    await turn();
    await pause(25 + 20 * Math.sin(performance.now() / 15_000));
  }
}

/** Every fourth key has a limit that this traffic exceeds at times. */
async function newKey(root: KeywardClient, n: number) {
  const limits = n % 4 === 0 ? [{ name: 'burst', limit: 20, windowSeconds: 30 }] : [];
  const body = { name: `key ${n}`, scopes: ['orders:read'], rateLimits: limits };
  const { data, error } = await root.POST('/v1/keys', { body });
  if (!data?.key) throw new Error(`no key was created: ${error?.detail}`);
  return { id: data.id, key: data.key };
}

/** Of the same form, with another checksum. */
function unknownLike(key: string): string {
  return `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`;
}

async function batch(root: KeywardClient, presented: string[]): Promise<void> {
  const requests = presented.map((key) => ({ key }));
  const { error } = await root.POST('/v1/verify/batch', { body: { requests } });
  if (error) throw new Error(`the batch was refused: ${error.detail}`);
}

/** As a gateway asks. */
async function authorize(url: string, rootKey: string, key: string): Promise<void> {
  const headers = { 'x-keyward-authorization': `Bearer ${rootKey}`, 'x-api-key': key };
  const answer = await fetch(`${url}/v1/authorize`, { headers });
  if (answer.status >= 500) throw new Error(`authorize: ${answer.status}`);
  await answer.arrayBuffer();
}
