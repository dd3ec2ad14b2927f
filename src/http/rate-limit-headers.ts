import type { RateLimitStatus } from '../domain/limits.ts';

/** What the document says of them. Only for keys that have limits. */
export const RATE_LIMIT_HEADERS = {
  'RateLimit-Policy': {
    type: 'string',
    description: 'The rate limits of the key (draft-ietf-httpapi-ratelimit-headers).',
  },
  RateLimit: { type: 'string', description: 'What is left of them.' },
};

/** draft-ietf-httpapi-ratelimit-headers. Names of limits are safe inside a quoted string. */
export function rateLimitHeaders(
  limits: readonly RateLimitStatus[],
  now: number,
): Record<string, string> {
  if (limits.length === 0) return {};
  const policies = limits.map(
    (limit) => `"${limit.name}";q=${limit.limit};w=${limit.windowSeconds}`,
  );
  const states = limits.map(({ name, remaining, resetAt }) => {
    const reset = resetAt === null ? '' : `;t=${secondsUntil(resetAt, now)}`;
    return `"${name}";r=${remaining}${reset}`;
  });
  return { 'ratelimit-policy': policies.join(', '), ratelimit: states.join(', ') };
}

/** At least 1: a client that waits 0 seconds has not waited. */
export function secondsUntil(time: number, now: number): number {
  return Math.max(1, Math.ceil((time - now) / 1000));
}
