import { hash } from 'node:crypto';

/**
 * Keys of other systems are known by the digest of their whole string, each in the workspace that
 * imported it: `sha256:<hex>@<workspace>` stands where a native key has its ref. Once that key is
 * deleted the digest is free, and the next one has `…@<workspace>#1`: a ref names one secret for good.
 */
export type ImportAlgorithm = 'sha256' | 'sha512';

const BYTES: Record<ImportAlgorithm, number> = { sha256: 32, sha512: 64 };
/** Stands for every workspace in a lookup; no workspace has such an id. */
const EVERY_WORKSPACE = '*';
const IMPORTED_REF =
  /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})@[A-Za-z0-9._-]{1,64}(?:#[1-9][0-9]*)?$/;

/** The digest of a string, as an import names it: `sha256:<hex>`. */
export function importedDigest(algorithm: ImportAlgorithm, key: string): string {
  return `${algorithm}:${hash(algorithm, key)}`;
}

/** Every digest by which a string could have been imported. */
export function importedDigests(key: string): string[] {
  return [importedDigest('sha256', key), importedDigest('sha512', key)];
}

/** The digest that is given in hex or base64, or null where it is neither, or of another length. */
export function parseDigest(algorithm: ImportAlgorithm, value: string): string | null {
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

/**
 * What an imported secret is looked up by, in one workspace or (null) in all of them. The first
 * secret of a digest in a workspace has this ref.
 */
export function lookupRef(digest: string, workspaceId: string | null): string {
  return `${digest}@${workspaceId ?? EVERY_WORKSPACE}`;
}

/** The ref for the secret that a freed digest is imported for again. */
export function nextRef(ref: string): string {
  const [lookup = ref, number = '0'] = ref.split('#');
  return `${lookup}#${Number(number) + 1}`;
}

/** The refs that a secret can be looked up by: its own, or those of an imported digest. */
export function lookupsOf(ref: string): string[] {
  const at = ref.indexOf('@');
  if (at < 0) return [ref];
  const [lookup = ref] = ref.split('#');
  return [lookup, `${ref.slice(0, at)}@${EVERY_WORKSPACE}`];
}

/** Whether this looks an imported secret up in every workspace. */
export function isForEveryWorkspace(lookup: string): boolean {
  return lookup.endsWith(`@${EVERY_WORKSPACE}`);
}

/** Whether a digest is looked up by this, and no native ref. */
export function isImportedLookup(lookup: string): boolean {
  return lookup.includes('@');
}

/** Whether a secret with this ref was imported. */
export function isImportedRef(ref: string): boolean {
  return IMPORTED_REF.test(ref);
}

/** Whether a stored hash is still the imported digest. Never true of a native secret. */
export function isImportedDigest({ ref, hash }: { ref: string; hash: string }): boolean {
  return IMPORTED_REF.exec(ref)?.[1] === hash;
}
