import { createHmac, randomInt } from 'node:crypto';
import pg from 'pg';

/**
 * The documented format of a key, implemented again: what an attacker with a stolen database knows.
 */
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export function checksumOf(body: string, checksumKey: Uint8Array): string {
  const digest = createHmac('sha256', checksumKey).update(body).digest();
  const digits: string[] = [];
  for (let rest = digest.readBigUInt64BE(0) % 62n ** 6n; digits.length < 6; rest /= 62n) {
    digits.push(BASE62.charAt(Number(rest % 62n)));
  }
  return digits.join('');
}

/** A key that was never issued, with a valid checksum. */
export function forgeKey(prefix: string, ref: string, checksumKey: Uint8Array): string {
  const body = `${prefix}_${ref}${base62(43)}`;
  return body + checksumOf(body, checksumKey);
}

export function base62(length: number): string {
  return Array.from({ length }, () => BASE62.charAt(randomInt(62))).join('');
}

export interface KeyParts {
  prefix: string;
  ref: string;
  secret: string;
  checksum: string;
}

/** Splits a key from its end: 6 characters of checksum, 43 of secret, 16 of ref. */
export function partsOf(key: string): KeyParts {
  return {
    prefix: key.slice(0, -66),
    ref: key.slice(-65, -49),
    secret: key.slice(-49, -6),
    checksum: key.slice(-6),
  };
}

export async function readChecksumKey(databaseUrl: string): Promise<Uint8Array> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ key: Buffer }>(
      'select checksum_key as key from installation',
    );
    const [row] = rows;
    if (!row) throw new Error('the migrations make one installation row');
    return row.key;
  } finally {
    await client.end();
  }
}
