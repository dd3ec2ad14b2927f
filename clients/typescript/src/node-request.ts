import type { IncomingMessage } from 'node:http';
import type { Presented } from './guard.ts';

/** What a request of node:http presents. Several values of a header are no key: they are joined. */
export function presentedBy(request: IncomingMessage, ip: string | undefined): Presented {
  const { authorization, 'x-api-key': apiKey } = request.headersDistinct;
  return {
    authorization: authorization?.join(', '),
    apiKey: apiKey?.join(', '),
    userAgent: request.headers['user-agent'],
    ip,
  };
}
