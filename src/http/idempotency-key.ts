import { createHash, type Hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Idempotency } from '../call-context.ts';
import { invalidField } from '../errors.ts';
import { mapInTurns } from '../lib/turns.ts';
import type { KeyDetector } from './key-detector.ts';

/** A quoted string, as the IETF draft has it; unquoted ones are accepted too. */
const IDEMPOTENCY_KEY = /^"?([\x21\x23-\x7e]{1,128})"?$/;

/** The `Idempotency-Key` of a call that changes something, with the fingerprint of its call. Needs the parsed body. */
export async function readIdempotencyKey(
  request: FastifyRequest,
  keyDetector: KeyDetector,
): Promise<Idempotency | null> {
  const header = request.headers['idempotency-key'];
  if (['GET', 'HEAD'].includes(request.method) || header === undefined) return null;
  const key = typeof header === 'string' ? IDEMPOTENCY_KEY.exec(header)?.[1] : undefined;
  if (key === undefined) {
    throw invalidField('/headers/idempotency-key', 'must be 1 to 128 visible ASCII characters');
  }
  // It is stored, so no key may be in it.
  if (keyDetector.isContainedIn(key)) {
    throw invalidField('/headers/idempotency-key', 'must not contain an API key');
  }
  return { key, fingerprint: await fingerprintOf(request) };
}

/** The SHA-256 of the call as JSON; of a long list item by item. */
async function fingerprintOf({ method, url, body, routeOptions }: FastifyRequest): Promise<string> {
  const digest = createHash('sha256').update(`[${JSON.stringify(method)},${JSON.stringify(url)},`);
  const { list } = routeOptions.config;
  if (list === undefined) digest.update(JSON.stringify(body ?? null));
  else await updateWithList(digest, Object.entries(Object(body)), list);
  return digest.update(']').digest('hex');
}

async function updateWithList(digest: Hash, fields: [string, unknown][], list: string) {
  digest.update('{');
  for (const [index, [name, value]] of fields.entries()) {
    digest.update(`${index === 0 ? '' : ','}${JSON.stringify(name)}:`);
    if (name !== list || !Array.isArray(value)) digest.update(JSON.stringify(value));
    else {
      digest.update('[');
      await mapInTurns(value, (item, at) =>
        digest.update(`${at === 0 ? '' : ','}${JSON.stringify(item)}`),
      );
      digest.update(']');
    }
  }
  digest.update('}');
}
