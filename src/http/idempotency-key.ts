import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Idempotency } from '../call-context.ts';
import { invalidField } from '../errors.ts';
import type { KeyDetector } from './key-detector.ts';

/** A quoted string, as the IETF draft has it; unquoted ones are accepted too. */
const IDEMPOTENCY_KEY = /^"?([\x21\x23-\x7e]{1,128})"?$/;

/** The `Idempotency-Key` of a call that changes something, with the fingerprint of its call. Needs the parsed body. */
export function readIdempotencyKey(
  request: FastifyRequest,
  keyDetector: KeyDetector,
): Idempotency | null {
  const header = request.headers['idempotency-key'];
  if (['GET', 'HEAD'].includes(request.method) || header === undefined) return null;
  const key = typeof header === 'string' ? IDEMPOTENCY_KEY.exec(header)?.[1] : undefined;
  if (key === undefined || keyDetector.isContainedIn(key)) {
    throw invalidField('/headers/idempotency-key', 'must be 1 to 128 visible ASCII characters');
  }
  return { key, fingerprint: fingerprintOf(request) };
}

function fingerprintOf({ method, url, body }: FastifyRequest): string {
  const call = JSON.stringify([method, url, body ?? null]);
  return createHash('sha256').update(call).digest('hex');
}
