import type { FastifyRequest } from 'fastify';
import { invalidField, KeywardError } from '../../errors.ts';
import type { App } from '../app-type.ts';
import type { BodyBudget } from '../body-budget.ts';
import { type BodySize, readBody } from '../body-reader.ts';

const DECODER = new TextDecoder('utf-8', { fatal: true });

/**
 * Bodies are JSON in UTF-8, and nothing else: guessing an encoding would store other text. Read when
 * their caller is known, within the limit of their call and the budget of all bodies.
 */
export function registerJsonBodies(app: App, budget: BodyBudget): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', (request, payload, done) => {
    refuseOtherEncodings(request);
    const size = sizeOf(request);
    const caller = request.callerId ?? '';
    const taken = budget.take(caller, size.declared ?? size.limit);
    readBody(payload, size, (error, body) => {
      budget.giveBack(caller, taken);
      if (error || !body) done(error);
      else done(...outcomeOf(body));
    });
  });
}

/** As the arguments of a callback. */
function outcomeOf(body: Buffer): [Error | null, unknown?] {
  try {
    return [null, parse(decode(body))];
  } catch (error) {
    return [error instanceof Error ? error : new Error(String(error))];
  }
}

function sizeOf({ headers, routeOptions }: FastifyRequest): BodySize {
  const { bodyLimit: limit } = routeOptions;
  const declared = headers['content-length'];
  if (Number(declared ?? 0) > limit) throw new KeywardError('BODY_TOO_LARGE');
  return { limit, declared: declared === undefined ? null : Number(declared) };
}

function refuseOtherEncodings({ headers }: FastifyRequest): void {
  const charsets = (headers['content-type'] ?? '').matchAll(/;\s*charset\s*=\s*"?([^";\s]*)"?/gi);
  for (const [, charset = ''] of charsets) {
    if (!/^utf-?8$/i.test(charset)) {
      throw new KeywardError('UNSUPPORTED_MEDIA_TYPE', 'Send JSON in UTF-8.');
    }
  }
  if (/^(identity)?$/i.test(headers['content-encoding'] ?? '')) return;
  throw new KeywardError('UNSUPPORTED_MEDIA_TYPE', 'Send the body without a Content-Encoding.');
}

function decode(body: Buffer): string {
  if (body.length === 0) {
    throw new KeywardError('MALFORMED_JSON', 'The body is empty; send a JSON object.');
  }
  try {
    return DECODER.decode(body);
  } catch {
    throw new KeywardError('MALFORMED_JSON', 'The body is not valid UTF-8.');
  }
}

function parse(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new KeywardError('MALFORMED_JSON');
  }
  // A missing body is null, too, and counts as an empty object.
  if (value === null) throw invalidField('/body', 'must be object');
  return value;
}
