import { createPublicKey, type KeyObject } from 'node:crypto';
import { Type } from 'typebox';
import { KeywardError } from '../errors.ts';
import { guardOf } from '../http/validation/parsers.ts';
import type { Log } from '../lib/log-events.ts';

const KEPT_MS = 3_600_000;
/** Between two reads, also when the first one failed: strangers can name keys that there are none of. */
const READ_AGAIN_MS = 60_000;
const TIMEOUT_MS = 5000;
const MAX_BYTES = 262_144;
const MAX_KEYS = 100;

const isListOfKeys = guardOf(
  Type.Object({
    public_keys: Type.Array(Type.Object({ key_identifier: Type.String(), key: Type.String() })),
  }),
);

/** The public keys that GitHub signs its reports with, read when one is needed and kept for an hour. */
export class GithubKeys {
  readonly #url: string;
  readonly #now: () => number;
  readonly #log: Log;
  #keys = new Map<string, KeyObject>();
  #readAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;
  #reading: Promise<void> | null = null;

  constructor(url: string, now: () => number, log: Log) {
    this.#url = url;
    this.#now = now;
    this.#log = log;
  }

  /** Null if GitHub has no such key; throws if nobody can tell. An old key is better than none. */
  async find(id: string): Promise<KeyObject | null> {
    const isFresh = this.#now() - this.#readAt < KEPT_MS;
    if (!isFresh || !this.#keys.has(id)) await this.#read();
    const key = this.#keys.get(id);
    if (!key && this.#hasFailed) {
      throw new KeywardError('UNAVAILABLE', 'The keys of GitHub cannot be read at the moment.');
    }
    return key ?? null;
  }

  /** Once for all who ask meanwhile. */
  async #read(): Promise<void> {
    if (this.#reading) return this.#reading;
    if (this.#now() - this.#triedAt < READ_AGAIN_MS) return;
    this.#triedAt = this.#now();
    this.#reading = this.#replace().finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  async #replace(): Promise<void> {
    try {
      this.#keys = keysIn(await download(this.#url));
      this.#readAt = this.#now();
      this.#hasFailed = false;
    } catch (err) {
      this.#hasFailed = true;
      this.#log.warn({ event: 'leak.keys_not_read', err }, 'the keys of GitHub were not read');
    }
  }
}

async function download(url: string): Promise<unknown> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const headers = { accept: 'application/json', 'user-agent': 'keyward' };
  const response = await fetch(url, { signal, headers, redirect: 'error' });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (!response.ok || bytes > MAX_BYTES) throw new Error('not a list of keys');
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** Those of the kind that GitHub uses today, ECDSA on P-256, whatever else is among them. */
function keysIn(list: unknown): Map<string, KeyObject> {
  const listed = isListOfKeys(list) ? list.public_keys.slice(0, MAX_KEYS) : [];
  const keys = listed.flatMap(({ key_identifier: id, key: pem }) => {
    const key = keyIn(pem);
    return key?.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? [[id, key] as const] : [];
  });
  if (keys.length === 0) throw new Error('not a list of keys');
  return new Map(keys);
}

function keyIn(pem: string): KeyObject | null {
  try {
    return createPublicKey(pem);
  } catch {
    return null;
  }
}
