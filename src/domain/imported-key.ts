import { hash } from 'node:crypto';

/**
 * Keys of other systems are known by the digest of their whole string: `sha256:<hex>` stands where
 * a native key has its ref.
 */
export type ImportAlgorithm = 'sha256' | 'sha512';

const BYTES: Record<ImportAlgorithm, number> = { sha256: 32, sha512: 64 };

export function importedRef(algorithm: ImportAlgorithm, key: string): string {
  return `${algorithm}:${hash(algorithm, key)}`;
}

/** Every ref that a string could have as an imported key. */
export function importedRefs(key: string): string[] {
  return [importedRef('sha256', key), importedRef('sha512', key)];
}

/** The ref for a digest in hex or base64, or null where it is neither, or of another length. */
export function refOfDigest(algorithm: ImportAlgorithm, value: string): string | null {
  const bytes = BYTES[algorithm];
  const isHex = value.length === 2 * bytes && /^[0-9a-fA-F]+$/.test(value);
  if (isHex) return `${algorithm}:${value.toLowerCase()}`;
  const decoded = Buffer.from(value, 'base64');
  const isBase64 = decoded.length === bytes && encodings(decoded).includes(value);
  return isBase64 ? `${algorithm}:${decoded.toString('hex')}` : null;
}

/** What an encoder can have written; anything else was cut or mistyped. */
function encodings(bytes: Buffer): string[] {
  const base64 = bytes.toString('base64');
  const url = bytes.toString('base64url');
  return [base64, base64.replace(/=+$/, ''), url, url.padEnd(base64.length, '=')];
}

/** Whether a secret with this ref was imported. */
export function isImportedRef(ref: string): boolean {
  return ref.includes(':');
}

/** Whether a stored hash is still the imported digest, which is what the ref says too. */
export function isImportedDigest({ ref, hash }: { ref: string; hash: string }): boolean {
  return ref === hash;
}
