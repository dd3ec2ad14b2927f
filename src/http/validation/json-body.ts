import type { FastifyRequest } from 'fastify';
import { invalidField, KeywardError } from '../../errors.ts';
import type { App } from '../app-type.ts';

const DECODER = new TextDecoder('utf-8', { fatal: true });

/** Bodies are JSON in UTF-8, and nothing else: guessing an encoding would store other text. */
export function registerJsonBodies(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      refuseOtherEncodings(request);
      if (body.length === 0) {
        throw new KeywardError('MALFORMED_JSON', 'The body is empty; send a JSON object.');
      }
      return parse(decode(body));
    },
  );
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
