import { Type } from 'typebox';
import { REQUIRED_SCOPE_PATTERN, SCOPE_MAX_LENGTH } from '../domain/scopes.ts';
import { VERDICT_CODES } from '../domain/verdict.ts';
import { line, maybeTime, oneOf } from './schemas.ts';

const RequiredScopes = (description: string) =>
  Type.Array(
    Type.String({
      pattern: REQUIRED_SCOPE_PATTERN,
      maxLength: SCOPE_MAX_LENGTH,
      description: 'Scope without wildcard.',
      examples: ['sources:read'],
    }),
    { minItems: 1, maxItems: 50, uniqueItems: true, description, examples: [['sources:read']] },
  );

/** What a verification may require of a key. */
export const verificationFields = {
  requiredScopes: Type.Optional(RequiredScopes('Scopes that the key must have, all of them.')),
  requiredAnyScope: Type.Optional(
    RequiredScopes('Scopes of which the key must have at least one.'),
  ),
  resource: Type.Optional(
    line(256, 'Resource to be accessed; checked if the key lists resources.', 'project:alpha'),
  ),
  ip: Type.Optional(
    Type.String({
      format: 'ip-address',
      maxLength: 64,
      description:
        'IP address of the client; a zone id is ignored. Without it, a key that is bound to addresses is not valid.',
      examples: ['203.0.113.7'],
    }),
  ),
};

export const Cost = Type.Integer({
  minimum: 0,
  maximum: 1_000_000,
  description:
    "Units that the verification consumes of the key's limits and credits; 0 checks without " +
    'consuming. Default: 1.',
  examples: [1],
});

export const VerdictCode = oneOf('VerdictCode', VERDICT_CODES);

/** A rate limit with its current state. */
export const rateLimitFields = {
  name: Type.String({ description: 'Rate limit name.', examples: ['per-minute'] }),
  limit: Type.Integer({ description: 'Units allowed in any window.', examples: [100] }),
  windowSeconds: Type.Integer({ description: 'Window length in seconds.', examples: [60] }),
  remaining: Type.Integer({ description: 'Units left now.', examples: [99] }),
  resetAt: maybeTime(
    'Time at which the oldest consumed units become available again; null: none are consumed.',
    '2026-01-31T12:01:00.000Z',
  ),
};
