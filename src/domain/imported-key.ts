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

/** The ref for a digest in hex or base64, or null where it is neither, or of another length. */
export function refOfDigest(algorithm: ImportAlgorithm, value: string): string | null {
  const bytes = BYTES[algorithm];
  const isHex = value.length === 2 * bytes && /^[0-9a-fA-F]+$/.test(value);
  if (isHex) return `${algorithm}:${value.toLowerCase()}`;
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(value)) return null;
  const decoded = Buffer.from(value, 'base64');
  return decoded.length === bytes ? `${algorithm}:${decoded.toString('hex')}` : null;
}

/** Whether a stored hash is still the imported digest, which is what the ref says too. */
export function isUnhardened({ ref, hash }: { ref: string; hash: string }): boolean {
  return ref === hash;
}
