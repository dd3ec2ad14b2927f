import { randomBytes } from 'node:crypto';
import type { HmacKey } from './hmac-key.ts';

/**
 * The key string: `<prefix>_<ref><secret><checksum>`, parsed from the end, so that a prefix may
 * contain underscores. `ref` is public and finds the secret's row; the checksum, keyed with a
 * random key of this installation, turns guesses and typos away before anything is read.
 */
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const REF_LENGTH = 16;
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const TAIL_LENGTH = REF_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH;
const CHECKSUM_SPACE = BigInt(ALPHABET.length ** CHECKSUM_LENGTH);

export const PREFIX_MAX_LENGTH = 24;
export const PREFIX_PATTERN = '^[a-z][a-z0-9]*(_[a-z0-9]+)*$';
/** The longest native key. */
export const KEY_MAX_LENGTH = PREFIX_MAX_LENGTH + 1 + TAIL_LENGTH;
/** For secret scanners: matches every native key inside any text. */
export const KEY_SCAN_PATTERN = '[a-z][a-z0-9_]{0,23}_[0-9A-Za-z]{65}';
/** Management keys carry this prefix; no customer key may. */
export const MANAGEMENT_PREFIX = 'kw';

const KEY = /^([a-z][a-z0-9]*(?:_[a-z0-9]+)*)_([0-9A-Za-z]{16})[0-9A-Za-z]{43}([0-9A-Za-z]{6})$/;

export interface ParsedKey {
  prefix: string;
  ref: string;
}

export interface GeneratedKey extends ParsedKey {
  /** The whole key. Shown once, never stored. */
  key: string;
  /** What lists show: the prefix and the first six characters of the ref. */
  start: string;
}

export function generateKey(prefix: string, checksumKey: HmacKey): GeneratedKey {
  const ref = randomText(REF_LENGTH);
  const body = `${prefix}_${ref}${randomText(SECRET_LENGTH)}`;
  return { key: body + checksum(body, checksumKey), prefix, ref, start: startOf({ prefix, ref }) };
}

/** The parts of a well-formed key, or null. Says nothing of its checksum. */
export function parseKey(text: string): ParsedKey | null {
  if (text.length > KEY_MAX_LENGTH) return null;
  const match = KEY.exec(text);
  const prefix = match?.[1];
  const ref = match?.[2];
  return prefix !== undefined && ref !== undefined ? { prefix, ref } : null;
}

/** What stands where a key has its ref; says nothing of whether the text is one. */
export function refOf(text: string): string {
  return text.slice(-TAIL_LENGTH, REF_LENGTH - TAIL_LENGTH);
}

/** Whether a well-formed key carries the checksum that this installation would have given it. */
export function hasValidChecksum(key: string, checksumKey: HmacKey): boolean {
  const expected = checksum(key.slice(0, -CHECKSUM_LENGTH), checksumKey);
  return equalInConstantTime(expected, key.slice(-CHECKSUM_LENGTH));
}

/** How many checksums a search may still compute; several texts can share one. */
export interface SearchBudget {
  checksums: number;
}

/** A few milliseconds of checksums: far more than honest texts have candidates. */
export const newSearchBudget = (): SearchBudget => ({ checksums: 1000 });

/**
 * Whether a text contains a key of this installation anywhere. A text with more candidates than the
 * budget allows counts as one that does.
 */
export function containsKey(
  text: string,
  checksumKey: HmacKey,
  budget: SearchBudget = newSearchBudget(),
): boolean {
  for (const { index } of text.matchAll(UNDERSCORE_OF_KEY)) {
    const end = index + 1 + TAIL_LENGTH;
    for (const start of prefixStarts(text, index)) {
      if (budget.checksums-- <= 0) return true;
      if (hasValidChecksum(text.slice(start, end), checksumKey)) return true;
    }
  }
  return false;
}

/** What lists show of a key. */
export function startOf({ prefix, ref }: ParsedKey): string {
  return `${prefix}_${ref.slice(0, 6)}…`;
}

/** Between a prefix and the 65 characters of base62 after it. */
const UNDERSCORE_OF_KEY = /_(?=[0-9A-Za-z]{65})/g;

/**
 * Where the prefix that ends at an underscore can begin, the shortest first: text before a key may
 * look like more of its prefix.
 */
function* prefixStarts(text: string, underscore: number): Generator<number> {
  for (let at = underscore - 1; at >= underscore - PREFIX_MAX_LENGTH; at--) {
    const character = text.charAt(at);
    if (/[a-z]/.test(character)) yield at;
    else if (character === '_' ? text[at + 1] === '_' : !/[0-9]/.test(character)) return;
  }
}

function checksum(body: string, checksumKey: HmacKey): string {
  const digest = checksumKey.digest(body);
  let rest = Number(digest.readBigUInt64BE(0) % CHECKSUM_SPACE);
  let text = '';
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    text += ALPHABET.charAt(rest % ALPHABET.length);
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
}

function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/** Uniform base62 from the system's CSPRNG; bytes that would skew the alphabet are dropped. */
function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      if (byte < 248 && text.length < length) text += ALPHABET.charAt(byte % ALPHABET.length);
    }
  }
  return text;
}

/** A random identifier with its type in front, such as `key_…`: 22 characters, 130 bits. */
export function newId(type: 'key' | 'sec' | 'mk' | 'evt' | 'wh' | 'alert'): string {
  return `${type}_${randomText(22)}`;
}
