import type { Context, MiddlewareHandler } from 'hono';
import { guard, type RequireKeyOptions } from './guard.ts';
import type { ValidVerdict } from './verdict.ts';

/** `c.get('apiKey')` after the middleware. */
export interface KeyEnv {
  Variables: { apiKey: ValidVerdict };
}

/**
 * For Hono on any runtime. Only the runtime knows the client's address: without `ip`, a key that is
 * bound to addresses is refused.
 */
export function requireKey(options: RequireKeyOptions<Context>): MiddlewareHandler<KeyEnv> {
  const decide = guard<Context>(options);
  return async (c, next) => {
    const decision = await decide(c, {
      authorization: c.req.header('authorization'),
      apiKey: c.req.header('x-api-key'),
      userAgent: c.req.header('user-agent'),
      ip: undefined,
    });
    if (decision.verdict === null) {
      const { status, headers, body } = decision.refusal;
      return new Response(body, { status, headers });
    }
    c.set('apiKey', decision.verdict);
    for (const [name, value] of Object.entries(decision.headers)) c.header(name, value);
    await next();
    return undefined;
  };
}
