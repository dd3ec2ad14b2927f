import type { Request, RequestHandler } from 'express';
import { guard, type RequireKeyOptions } from './guard.ts';
import { presentedBy } from './node-request.ts';
import type { ValidVerdict } from './verdict.ts';

declare global {
  namespace Express {
    interface Request {
      /** The verdict on the caller's key, on routes that require one. */
      apiKey?: ValidVerdict;
    }
  }
}

/** For Express. The address is `request.ip`, which follows the setting `trust proxy`. */
export function requireKey<Params = Record<string, string>>(
  options: RequireKeyOptions<Request<Params>>,
): RequestHandler<Params> {
  const decide = guard(options);
  return async (request, response, next) => {
    const decision = await decide(request, presentedBy(request, request.ip));
    if (decision.verdict !== null) {
      request.apiKey = decision.verdict;
      response.set(decision.headers);
      next();
      return;
    }
    const { status, headers, body } = decision.refusal;
    response.writeHead(status, headers).end(body);
  };
}
