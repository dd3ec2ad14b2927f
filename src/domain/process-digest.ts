import { hash, randomBytes } from 'node:crypto';

/** Differs in each process, so that a digest is of no use anywhere else. */
const KEY = randomBytes(32).toString('base64url');

/** A digest of a secret text. Keyed, so that comparing two of them reveals nothing about the texts. */
export function processDigest(text: string): string {
  return hash('sha256', KEY + text, 'base64url');
}
