import type { IncomingMessage, ServerResponse } from 'node:http';
import { guard, type RequireKeyOptions } from './guard.ts';
import { presentedBy } from './node-request.ts';
import type { ValidVerdict } from './verdict.ts';

/**
 * For node:http. Resolves with the verdict, or with null when the request is refused and answered. The
 * address is that of the connection: behind a proxy, give `ip`.
 */
export function requireKey(options: RequireKeyOptions<IncomingMessage>) {
  const decide = guard(options);
  return async (
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<ValidVerdict | null> => {
    const ip = request.socket.remoteAddress;
    const decision = await decide(request, presentedBy(request, ip));
    if (decision.verdict !== null) {
      for (const [name, value] of Object.entries(decision.headers)) response.setHeader(name, value);
      return decision.verdict;
    }
    const { status, headers, body } = decision.refusal;
    response.writeHead(status, headers).end(body);
    return null;
  };
}
