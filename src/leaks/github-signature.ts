import { type KeyObject, verify } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

const KEY_ID = /^[\w-]{1,128}$/;
const SIGNATURE = /^[A-Za-z0-9+/]{1,200}={0,2}$/;

export interface GithubSignature {
  keyId: string;
  /** ASN.1, in base64. */
  signature: string;
}

/** The signature in the headers of a report; null if there is none. */
export function signatureIn(headers: IncomingHttpHeaders): GithubSignature | null {
  const keyId = headers['github-public-key-identifier'];
  const signature = headers['github-public-key-signature'];
  if (typeof keyId !== 'string' || typeof signature !== 'string') return null;
  return KEY_ID.test(keyId) && SIGNATURE.test(signature) ? { keyId, signature } : null;
}

/** Whether the body is what the holder of the key signed, byte for byte. */
export function isSigned(body: Buffer, signature: string, key: KeyObject): boolean {
  return verify('sha256', body, { key, dsaEncoding: 'der' }, Buffer.from(signature, 'base64'));
}
